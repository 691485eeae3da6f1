// Named tensors in a safetensors file of our own: model.safetensors, optimizer.safetensors and, where there
// is one, ema.safetensors of a checkpoint.
//
// Writing takes tensors on any device; reading returns CPU tensors of their own memory.
// Failure: Error(kCheckpoint) naming the file and the tensor.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/run/checkpoint_store.h"
#include "models/vision_tower.h"

namespace graticule {

inline constexpr const char* kAverageFile = "ema.safetensors";  // trainer/optim/weight_average.h

// Files of a checkpoint, each with the live tensors that it holds.
using CheckpointTensors = std::vector<std::pair<std::string, std::vector<NamedTensor>>>;

uint64_t BytesOf(const CheckpointTensors& files);

void WriteTensors(CheckpointWriter& out, const std::string& name, const std::vector<NamedTensor>& tensors);

std::map<std::string, at::Tensor> ReadTensors(const std::string& path);

// Copies `saved` into `targets` by name; both must hold the same names and shapes. `what` names the file in
// errors.
void CopyTensors(const std::map<std::string, at::Tensor>& saved, const std::vector<NamedTensor>& targets,
                 const std::string& what);

}  // namespace graticule
