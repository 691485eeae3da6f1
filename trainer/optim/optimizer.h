// Fused first-order optimisers over fp32 master parameters: AdamW, Adam (L2) and SGD with momentum.
//
// Invariants: gradients are read in place (views into GradSync's flat buckets), parameters are updated in
// place, and a step whose `found_inf` is 1 changes nothing, not even the step count. Nothing is read on the
// host. State is kept per parameter under the parameter's name, so that it survives other bucket sizes and
// rank counts. Not thread-safe. Cannot fail.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/vision_tower.h"
#include "trainer/optim/optim_config.h"
#include "trainer/recipe.h"

namespace graticule {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // gradients: parameter name -> gradient of the same shape, fp32, at the same address for the whole run.
  static std::unique_ptr<Optimizer> Create(const OptimConfig& config, std::vector<ParameterGroup> groups,
                                           const std::map<std::string, at::Tensor>& gradients);

  // found_inf: fp32 [1] on the device of the parameters; 0 or 1. lr before the groups' lr_scale.
  virtual void Step(double lr, const at::Tensor& found_inf) = 0;

  // "<parameter>.exp_avg", ...; and "step", the number of updates done (fp32 scalar). The live tensors, not
  // copies.
  virtual std::vector<NamedTensor> State() = 0;
};

}  // namespace graticule
