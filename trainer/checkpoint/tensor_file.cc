#include "trainer/checkpoint/tensor_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/grad_mode.h>

#include "base/safetensors.h"
#include "models/tensor_io.h"

namespace graticule {

uint64_t BytesOf(const CheckpointTensors& files) {
  uint64_t bytes = 0;
  for (const auto& [name, tensors] : files)
    for (const NamedTensor& p : tensors) bytes += p.tensor.nbytes();
  return bytes;
}

void WriteTensors(CheckpointWriter& out, const std::string& name, const std::vector<NamedTensor>& tensors) {
  const torch::autograd::AutoGradMode no_grad(false);
  SafetensorsWriter writer;
  std::vector<at::Tensor> alive;  // the writer keeps views only
  alive.reserve(tensors.size());
  for (const NamedTensor& named : tensors) {
    alive.push_back(named.tensor.detach().to(at::kCPU).contiguous());
    writer.Add(named.name, ViewOf(alive.back()));
  }
  out.Write(name, writer);
}

std::map<std::string, at::Tensor> ReadTensors(const std::string& path) {
  const auto file = SafetensorsFile::Map(path, ErrorCode::kCheckpoint);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, view] : file->tensors()) tensors[name] = CopyToTensor(*file, view);
  return tensors;
}

void CopyTensors(const std::map<std::string, at::Tensor>& saved, const std::vector<NamedTensor>& targets,
                 const std::string& what) {
  const torch::autograd::AutoGradMode no_grad(false);
  const char* hint = "the checkpoint belongs to another model, optimiser or set of heads";
  for (const NamedTensor& target : targets) {
    const auto found = saved.find(target.name);
    if (found == saved.end()) {
      throw Error(ErrorCode::kCheckpoint, fmt::format("tensor \"{}\" is missing", target.name), what, hint);
    }
    if (found->second.sizes() != target.tensor.sizes()) {
      throw Error(ErrorCode::kCheckpoint,
                  fmt::format("tensor \"{}\" has shape [{}], expected [{}]", target.name,
                              fmt::join(found->second.sizes(), ", "), fmt::join(target.tensor.sizes(), ", ")),
                  what, hint);
    }
    target.tensor.copy_(found->second);
  }
  if (saved.size() != targets.size()) {
    throw Error(ErrorCode::kCheckpoint,
                fmt::format("found {} tensors, expected {}", saved.size(), targets.size()), what, hint);
  }
}

}  // namespace graticule
