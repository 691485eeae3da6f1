#include "trainer/comm/comm_config.h"

#include "base/config/section.h"

namespace graticule {

void CommConfig::Bind(Section& section) {
  section.Choice("grad_dtype", &grad_dtype, {"fp32", "bf16"}, "number format of gradients between ranks");
  section.Field("bucket_mb", &bucket_mb,
                {.help = "gradients reduced together", .unit = "MiB", .min = 0.0001, .max = 4096});
  section.Field(
      "first_bucket_mb", &first_bucket_mb,
      {.help = "size of the bucket that backward fills first", .unit = "MiB", .min = 0.0001, .max = 4096});
  section.Field("timeout_s", &timeout_s,
                {.help = "how long a rank waits for the others before it gives up",
                 .unit = "s",
                 .min = 1,
                 .max = 86400,
                 .on_resume = OnResume::kFree});
  section.Field("overlap", &overlap,
                {.help = "reduce gradients while backward still runs", .on_resume = OnResume::kFree});
}

}  // namespace graticule
