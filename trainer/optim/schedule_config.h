// `schedule:` section: the learning rate over the run, counted in samples so that it survives a change of
// ranks or of batch. Torch-free.
//
// The factor of the step that consumes samples [seen, seen + batch) of `total`:
//   warm-up   min(1, (seen + batch) / warmup)
//   then, with t = (seen - warmup) / (total - warmup) in [0, 1]
//   constant  1
//   cosine    final + (1 - final) * (1 + cos(pi t)) / 2
//   linear    final + (1 - final) * (1 - t)
//   step      gamma ^ (number of milestones <= seen, or floor(seen / every_samples))
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config/section.h"

namespace graticule {

struct ScheduleConfig {
  std::string kind = "constant";
  int64_t warmup_samples = 0;
  double final_factor = 0;                  // cosine, linear: what is left of the learning rate at the end
  std::vector<int64_t> milestones_samples;  // step: ascending
  int64_t every_samples = 0;                // step: a milestone after every so many, such as an epoch
  double gamma = 0.1;                       // step: factor per milestone
  void Bind(Section& s);
};

// Pure; seen >= 0, batch > 0, total >= seen.
double ScheduleFactor(const ScheduleConfig& config, int64_t seen, int64_t batch, int64_t total);

}  // namespace graticule
