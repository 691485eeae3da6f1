#include "trainer/step/train_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace graticule {

void TrainConfig::Bind(Section& s) {
  s.Field("global_batch", &global_batch,
          {.help = "samples per optimiser step over all ranks",
           .unit = "samples",
           .min = 1,
           .max = 1 << 20,
           .required = true});
  s.Field(
      "micro_batch", &micro_batch,
      {.help = "samples per rank and forward pass; 0 takes the rank's share at once. Gradients accumulate",
       .unit = "samples",
       .min = 0,
       .on_resume = OnResume::kWarn});
  s.Field("epochs", &epochs, {.help = "duration; give one of epochs, samples, steps", .min = 0});
  s.Field("samples", &samples,
          {.help = "duration; give one of epochs, samples, steps", .unit = "samples", .min = 0});
  s.Field("steps", &steps, {.help = "duration; give one of epochs, samples, steps", .min = 0});
  s.Choice("precision", &precision, {"fp32", "tf32", "bf16"},
           "arithmetic of the tower; master weights stay fp32");
  s.Choice("device", &device, {"cpu", "cuda"}, "where tensors live", OnResume::kWarn);
  s.Field("threads", &threads,
          {.help = "compute threads per rank; 0 takes the CPUs the rank may use. Stored with the run",
           .min = 0,
           .max = 1024,
           .on_resume = OnResume::kWarn});
  s.Choice("non_finite", &non_finite, {"stop", "skip"}, "what a non-finite gradient does", OnResume::kFree);
  s.Field(
      "max_skipped", &max_skipped,
      {.help =
           "skipped steps that are tolerated per attempt (non_finite: skip), at most a tenth of all steps",
       .min = 0,
       .on_resume = OnResume::kFree});
  s.Check([this]() -> std::string {
    return precision == "tf32" && device == "cpu"
               ? "precision is tf32, which only GPUs have; use fp32 or bf16"
               : "";
  });
  s.Check([this]() -> std::string {
    const int given = (epochs > 0) + (samples > 0) + (steps > 0);
    return given == 1 ? "" : fmt::format("{} of epochs, samples, steps are set; give exactly one", given);
  });
}

int64_t AccumulationSteps(const TrainConfig& config, int world_size) {
  if (config.global_batch % world_size != 0) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("train.global_batch {} is not a multiple of the {} ranks", config.global_batch,
                    world_size),
        "",
        fmt::format("start as many ranks as divide {}, or change train.global_batch", config.global_batch));
  }
  const int64_t share = config.global_batch / world_size;
  const int64_t micro = config.micro_batch == 0 ? share : std::min(config.micro_batch, share);
  if (share % micro != 0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("train.micro_batch {} does not divide the {} samples of each rank", micro, share),
                "",
                fmt::format("train.global_batch {} over {} ranks; choose a divisor of {}",
                            config.global_batch, world_size, share));
  }
  return share / micro;
}

int64_t TotalSteps(const TrainConfig& config, int64_t batches_per_epoch) {
  if (config.steps > 0) return config.steps;
  if (config.samples > 0) return std::max<int64_t>(1, config.samples / config.global_batch);
  return std::max<int64_t>(1, std::llround(config.epochs * static_cast<double>(batches_per_epoch)));
}

}  // namespace graticule
