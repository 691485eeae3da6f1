// What a training would be, without doing it: parameters, memory, steps per epoch. Opens the dataset, the
// cells and the files to start from, makes no tower and no world.
#pragma once

#include <string>

#include "trainer/config/root_config.h"

namespace graticule {

std::string DryRunText(const RootConfig& config, int world_size);
std::string DryRunJson(const RootConfig& config, int world_size);  // one object

// Bytes per rank, by rough but stated rules (docs/MODELS.md): master weights, gradients, two moments and,
// where it is kept, the average of the weights in fp32, a bf16 copy where used, and what backward keeps per
// sample of a micro-batch.
struct MemoryEstimate {
  double weights = 0, gradients = 0, moments = 0, average = 0, state = 0, activations = 0, batch = 0;
  double total() const { return weights + gradients + moments + average + state + activations + batch; }
};
MemoryEstimate EstimateMemory(const RootConfig& config, int64_t head_parameters, int64_t micro_batch);

}  // namespace graticule
