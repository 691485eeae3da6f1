#include "trainer/config/run_config.h"

namespace graticule {

void RunConfig::Bind(Section& s) {
  s.Field("dir", &dir,
          {.help = "run folder; everything this training produces goes there",
           .required = true,
           .on_resume = OnResume::kFree});
  s.Field("seed", &seed, {.help = "seed of initial weights, sample order and augmentation", .min = 0});
}

}  // namespace graticule
