#include "trainer/eval/eval_config.h"

namespace graticule {

void EvalConfig::Bind(Section& s) {
  s.Field("every_steps", &every_steps,
          {.help = "validate on data.val after so many steps; 0 only at the end",
           .min = 0,
           .on_resume = OnResume::kFree});
  s.Field("samples", &samples,
          {.help = "validate on the first so many records; 0 takes all",
           .unit = "samples",
           .min = 0,
           .on_resume = OnResume::kFree});
  s.Field("batch", &batch,
          {.help = "samples per rank and forward pass; 0 takes that of training",
           .unit = "samples",
           .min = 0,
           .on_resume = OnResume::kFree});
  s.Choice("metric", &metric,
           {"median_km", "mean_km", "geoscore", "acc_1", "acc_25", "acc_200", "acc_750", "acc_2500"},
           "which validation metric names the best checkpoint", OnResume::kFree);
}

bool SmallerIsBetter(const std::string& metric) { return metric == "median_km" || metric == "mean_km"; }

}  // namespace graticule
