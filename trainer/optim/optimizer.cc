#include "trainer/optim/optimizer.h"

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/grad_mode.h>

#include "base/error.h"

namespace graticule {
namespace {

// One group as the parallel lists that the fused kernels take.
struct Lists {
  std::vector<std::string> names;
  std::vector<at::Tensor> parameters, gradients, first, second;  // empty where the kind keeps none
  std::vector<at::Tensor> steps;                                 // the shared count, once per parameter
  double lr_scale = 1, weight_decay = 0;
};

class FusedOptimizer : public Optimizer {
 public:
  FusedOptimizer(const OptimConfig& config, std::vector<ParameterGroup> groups,
                 const std::map<std::string, at::Tensor>& gradients)
      : config_(config) {
    const torch::autograd::AutoGradMode no_grad(false);
    for (ParameterGroup& group : groups) {
      if (group.parameters.empty()) continue;
      Lists lists;
      lists.lr_scale = group.lr_scale;
      lists.weight_decay = group.weight_decay ? config.weight_decay : 0;
      for (const NamedTensor& p : group.parameters) {
        const auto gradient = gradients.find(p.name);
        GRATICULE_CHECK(gradient != gradients.end(), p.name);
        GRATICULE_CHECK(gradient->second.sizes() == p.tensor.sizes(), p.name);
        GRATICULE_CHECK(p.tensor.scalar_type() == at::kFloat, p.name);
        if (!step_.defined()) step_ = at::zeros({}, p.tensor.options().requires_grad(false));
        lists.names.push_back(p.name);
        lists.parameters.push_back(p.tensor);
        lists.gradients.push_back(gradient->second);
        if (HasFirst()) lists.first.push_back(at::zeros_like(lists.parameters.back()));
        if (config.kind != "sgd") lists.second.push_back(at::zeros_like(lists.parameters.back()));
        lists.steps.push_back(step_);
      }
      lists_.push_back(std::move(lists));
    }
    GRATICULE_CHECK(step_.defined(), "no trainable parameter");
  }

  void Step(double lr, const at::Tensor& found_inf) override {
    const torch::autograd::AutoGradMode no_grad(false);
    // A skipped step does not count: the correction of the moments must match the updates that happened.
    step_.add_(1).sub_(found_inf.squeeze());
    for (Lists& l : lists_) Update(l, lr * l.lr_scale, found_inf);
  }

  std::vector<NamedTensor> State() override {
    std::vector<NamedTensor> state{{"step", step_}};
    const bool sgd = config_.kind == "sgd";
    for (const Lists& l : lists_) {
      for (size_t i = 0; i < l.names.size(); ++i) {
        if (HasFirst()) state.push_back({l.names[i] + (sgd ? ".momentum_buffer" : ".exp_avg"), l.first[i]});
        if (!sgd) state.push_back({l.names[i] + ".exp_avg_sq", l.second[i]});
      }
    }
    return state;
  }

 private:
  bool HasFirst() const { return config_.kind != "sgd" || config_.momentum > 0; }

  void Update(Lists& l, double lr, const at::Tensor& found_inf) {
    if (config_.kind == "adamw") {
      at::_fused_adamw_(l.parameters, l.gradients, l.first, l.second, {}, l.steps, lr, config_.beta1,
                        config_.beta2, l.weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false, {},
                        found_inf);
    } else if (config_.kind == "adam") {
      at::_fused_adam_(l.parameters, l.gradients, l.first, l.second, {}, l.steps, lr, config_.beta1,
                       config_.beta2, l.weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false, {},
                       found_inf);
    } else {
      // With zero dampening a zero buffer makes the first step like any other: is_first_step is never needed.
      at::_fused_sgd_(l.parameters, l.gradients, l.first, l.weight_decay, config_.momentum, lr,
                      /*dampening=*/0, config_.nesterov, /*maximize=*/false, /*is_first_step=*/false, {},
                      found_inf);
    }
    // The fused operators leave the version counters of their lists where they are; casts of the weights
    // (models/compute_weights.h) would never be renewed.
    for (const at::Tensor& parameter : l.parameters) parameter.unsafeGetTensorImpl()->bump_version();
  }

  const OptimConfig config_;
  std::vector<Lists> lists_;
  at::Tensor step_;
};

}  // namespace

std::unique_ptr<Optimizer> Optimizer::Create(const OptimConfig& config, std::vector<ParameterGroup> groups,
                                             const std::map<std::string, at::Tensor>& gradients) {
  return std::make_unique<FusedOptimizer>(config, std::move(groups), gradients);
}

}  // namespace graticule
