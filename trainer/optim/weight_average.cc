#include "trainer/optim/weight_average.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/grad_mode.h>

#include "base/error.h"

namespace graticule {

WeightAverage::WeightAverage(double decay, std::vector<NamedTensor> parameters)
    : decay_(decay), parameters_(std::move(parameters)) {
  GRATICULE_CHECK(!parameters_.empty());
  for (const NamedTensor& p : parameters_) {
    GRATICULE_CHECK(p.tensor.scalar_type() == at::kFloat, p.name);
    averages_.push_back(p.tensor.detach().clone());
  }
  updates_ = at::zeros({}, averages_.front().options());
}

void WeightAverage::Update(const at::Tensor& found_inf) {
  const torch::autograd::AutoGradMode no_grad(false);
  const at::Tensor happened = 1 - found_inf.squeeze();
  const at::Tensor decay = ((updates_ + 1) / (updates_ + 10)).clamp_max(decay_);
  const at::Tensor share = (1 - decay) * happened;
  for (size_t i = 0; i < averages_.size(); ++i) averages_[i].lerp_(parameters_[i].tensor, share);
  updates_.add_(happened);
}

void WeightAverage::Restart() {
  const torch::autograd::AutoGradMode no_grad(false);
  for (size_t i = 0; i < averages_.size(); ++i) averages_[i].copy_(parameters_[i].tensor);
  updates_.zero_();
}

void WeightAverage::Exchange() {
  const torch::autograd::AutoGradMode no_grad(false);
  for (size_t i = 0; i < averages_.size(); ++i) {
    const at::Tensor weights = parameters_[i].tensor.detach().clone();
    // The copy also moves the version counter: casts of the weights are renewed (models/compute_weights.h).
    parameters_[i].tensor.copy_(averages_[i]);
    averages_[i].copy_(weights);
  }
}

std::vector<NamedTensor> WeightAverage::State() const {
  std::vector<NamedTensor> state{{kUpdates, updates_}};
  for (size_t i = 0; i < averages_.size(); ++i) state.push_back({parameters_[i].name, averages_[i]});
  return state;
}

}  // namespace graticule
