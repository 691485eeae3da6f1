// `log:` section: metrics rows and the progress line. Torch-free.
#pragma once

#include <cstdint>
#include <string>

#include "base/config/section.h"

namespace graticule {

struct LogConfig {
  int64_t every_steps = 10;     // rows of metrics.jsonl
  double progress_s = 30;       // between progress lines when the output is no terminal
  std::string format = "text";  // text, json
  bool quiet = false;           // errors only
  void Bind(Section& s);
};

}  // namespace graticule
