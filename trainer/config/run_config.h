// `run:` section: the run folder and the seed of everything random. Torch-free.
#pragma once

#include <cstdint>
#include <string>

#include "base/config/section.h"

namespace graticule {

struct RunConfig {
  std::string dir;  // required; relative to the working folder
  int64_t seed = 0;
  void Bind(Section& s);
};

}  // namespace graticule
