#include "trainer/optim/schedule_config.h"

#include <algorithm>
#include <cmath>

namespace graticule {

void ScheduleConfig::Bind(Section& s) {
  s.Choice("kind", &kind, {"constant", "cosine", "linear", "step"},
           "shape of the learning rate after the warm-up");
  s.Field("warmup_samples", &warmup_samples,
          {.help = "the learning rate rises linearly over so many samples", .unit = "samples", .min = 0});
  s.Field("final_factor", &final_factor,
          {.help = "share of the learning rate left at the end (cosine, linear)", .min = 0, .max = 1});
  s.Field("milestones_samples", &milestones_samples,
          {.help = "where the learning rate drops (step), ascending", .unit = "samples", .min = 0});
  s.Field("every_samples", &every_samples,
          {.help = "the learning rate drops after every so many, in the place of milestones (step)",
           .unit = "samples",
           .min = 0});
  s.Field("gamma", &gamma, {.help = "factor at each milestone (step)", .min = 0, .max = 1});
  s.Check([this]() -> std::string {
    if (kind == "step" && milestones_samples.empty() == (every_samples == 0))
      return "kind: step needs milestones_samples or every_samples, one of them";
    if (!std::is_sorted(milestones_samples.begin(), milestones_samples.end())) {
      return "milestones_samples must ascend";
    }
    return "";
  });
}

double ScheduleFactor(const ScheduleConfig& config, int64_t seen, int64_t batch, int64_t total) {
  const double warmup = static_cast<double>(config.warmup_samples);
  if (seen < config.warmup_samples) return std::min(1.0, static_cast<double>(seen + batch) / warmup);
  if (config.kind == "step") {
    if (config.every_samples > 0)
      return std::pow(config.gamma, static_cast<double>(seen / config.every_samples));
    const auto& at = config.milestones_samples;
    const auto passed = std::upper_bound(at.begin(), at.end(), seen) - at.begin();
    return std::pow(config.gamma, static_cast<double>(passed));
  }
  if (config.kind == "constant") return 1;
  const double span = static_cast<double>(total) - warmup;
  const double t = span > 0 ? std::clamp((static_cast<double>(seen) - warmup) / span, 0.0, 1.0) : 1.0;
  const double shape = config.kind == "cosine" ? 0.5 * (1 + std::cos(std::acos(-1.0) * t)) : 1 - t;
  return config.final_factor + (1 - config.final_factor) * shape;
}

}  // namespace graticule
