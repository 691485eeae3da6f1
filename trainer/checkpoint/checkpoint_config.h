// `checkpoint:` section: how often state is saved and how much of it is kept. Torch-free.
#pragma once

#include <cstdint>

#include "base/config/section.h"

namespace graticule {

struct CheckpointConfig {
  int64_t every_steps = 1000;  // 0: only at the end and on request
  double every_s = 0;          // 0: off
  int64_t keep = 2;            // newest ones, at least 2; the best one is kept besides
  void Bind(Section& s);
};

}  // namespace graticule
