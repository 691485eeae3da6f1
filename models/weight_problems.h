// Everything that is wrong with a file of weights, collected and said at once.
#pragma once

#include <string>
#include <vector>

#include "base/safetensors.h"

namespace graticule {

bool IsFloat(SafeDType dtype);

struct WeightProblems {
  std::vector<std::string> missing, mismatched, unexpected;

  // Throws Error(kData) unless all lists are empty; each is cut after forty. target: "the tower".
  void ThrowIfAny(const std::string& target, const std::string& file, const std::string& hint) const;
};

}  // namespace graticule
