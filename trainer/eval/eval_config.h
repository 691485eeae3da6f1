// `eval:` section: validation during training and what names the best checkpoint. Torch-free.
#pragma once

#include <cstdint>
#include <string>

#include "base/config/section.h"

namespace graticule {

struct EvalConfig {
  int64_t every_steps = 0;           // 0: only at the end
  int64_t samples = 0;               // the first n records of data.val; 0: all
  int64_t batch = 0;                 // per rank; 0: the micro-batch of training
  std::string metric = "median_km";  // decides which checkpoint is the best
  void Bind(Section& s);
};

// Whether a smaller value of the metric is the better one (distances) or a larger one (shares, scores).
bool SmallerIsBetter(const std::string& metric);

}  // namespace graticule
