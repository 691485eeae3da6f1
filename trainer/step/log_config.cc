#include "trainer/step/log_config.h"

namespace graticule {

void LogConfig::Bind(Section& s) {
  s.Field("every_steps", &every_steps,
          {.help = "steps per row of metrics.jsonl", .min = 1, .on_resume = OnResume::kFree});
  s.Field("progress_s", &progress_s,
          {.help = "between progress lines when the output is no terminal",
           .unit = "s",
           .min = 0,
           .on_resume = OnResume::kFree});
  s.Choice("format", &format, {"text", "json"}, "form of the log lines", OnResume::kFree);
  s.Field("quiet", &quiet, {.help = "print errors only", .on_resume = OnResume::kFree});
}

}  // namespace graticule
