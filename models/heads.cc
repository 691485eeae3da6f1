#include "models/heads.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <cmath>

#include "base/error.h"
#include "models/initialise.h"

namespace graticule {

at::Tensor Pool(const VisionOutput& output, const std::string& pooling) {
  if (pooling == "cls") return output.pooler_output_BW;
  GRATICULE_CHECK(pooling == "mean");
  return output.last_hidden_state_BTW.mean(/*dim=*/{1}, /*keepdim=*/false, at::kFloat);
}

Heads::Heads(int64_t width, std::vector<Head> heads, std::optional<uint64_t> seed)
    : heads_(std::move(heads)) {
  at::NoGradGuard no_grad;
  const double bound = 1 / std::sqrt(static_cast<double>(width));
  for (const Head& head : heads_) {
    NamedTensor weight{"heads." + head.name + ".weight", at::empty({head.outputs, width}, at::kFloat)};
    NamedTensor bias{"heads." + head.name + ".bias", at::empty({head.outputs}, at::kFloat)};
    for (NamedTensor* parameter : {&weight, &bias}) {
      if (seed) FillUniform(parameter->tensor, bound, *seed, parameter->name);
      parameter->tensor.requires_grad_(true);
      parameters_.push_back(std::move(*parameter));
    }
  }
}

std::vector<at::Tensor> Heads::Forward(const at::Tensor& pooled_BW) const {
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < heads_.size(); ++i)
    outputs.push_back(at::linear(pooled_BW, parameters_[2 * i].tensor, parameters_[2 * i + 1].tensor));
  return outputs;
}

void Heads::To(const at::Device& device) {
  at::NoGradGuard no_grad;
  for (NamedTensor& parameter : parameters_) parameter.tensor.set_data(parameter.tensor.to(device));
}

}  // namespace graticule
