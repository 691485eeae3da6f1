#include "trainer/checkpoint/checkpoint_config.h"

namespace graticule {

void CheckpointConfig::Bind(Section& s) {
  s.Field("every_steps", &every_steps,
          {.help = "save after so many steps; 0 saves only at the end and on request",
           .min = 0,
           .on_resume = OnResume::kFree});
  s.Field("every_s", &every_s,
          {.help = "save after so much time as well; 0 turns it off",
           .unit = "s",
           .min = 0,
           .on_resume = OnResume::kFree});
  s.Field("keep", &keep,
          {.help = "newest checkpoints that stay; the best one stays besides",
           .min = 2,
           .max = 1000,
           .on_resume = OnResume::kFree});
}

}  // namespace graticule
