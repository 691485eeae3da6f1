// `train:` section: batch sizes, duration, precision, device, and what happens on a non-finite step.
// Torch-free.
#pragma once

#include <cstdint>
#include <string>

#include "base/config/section.h"

namespace graticule {

struct TrainConfig {
  int64_t global_batch = 0;  // required; samples per optimiser step over all ranks
  int64_t micro_batch = 0;   // per rank and forward pass; 0: the rank's whole share at once
  double epochs = 0;         // exactly one of epochs, samples, steps is given
  int64_t samples = 0, steps = 0;
  std::string precision = "fp32";   // fp32, tf32, bf16
  std::string device = "cpu";       // cpu, cuda
  int64_t threads = 0;              // per rank; 0: CPUs in the rank's affinity mask, shared out per node
  std::string non_finite = "stop";  // stop (exit 5), skip
  int64_t max_skipped = 100;        // more skipped steps than this in one attempt stop the run
  void Bind(Section& s);
};

// Throws Error(kUsage) where world_size or micro_batch does not divide; otherwise the number of forward
// passes per rank and step.
int64_t AccumulationSteps(const TrainConfig& config, int world_size);

// Optimiser steps of the whole run; batches_per_epoch is the loader's. At least 1.
int64_t TotalSteps(const TrainConfig& config, int64_t batches_per_epoch);

}  // namespace graticule
