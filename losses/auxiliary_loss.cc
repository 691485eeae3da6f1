#include "losses/auxiliary_loss.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace graticule {

at::Tensor ClassCrossEntropySum(const at::Tensor& logits_BC, const at::Tensor& labels_B) {
  return at::cross_entropy_loss(logits_BC, labels_B, /*weight=*/{}, at::Reduction::Sum, /*ignore_index=*/-1);
}

double CountLabelled(std::span<const int32_t> labels) {
  return static_cast<double>(
      std::count_if(labels.begin(), labels.end(), [](int32_t label) { return label >= 0; }));
}

at::Tensor SquaredErrorSum(const at::Tensor& predicted_BR, const at::Tensor& targets_BR) {
  GRATICULE_CHECK(predicted_BR.sizes() == targets_BR.sizes());
  const at::Tensor error =
      at::where(at::isnan(targets_BR), at::zeros({}, predicted_BR.options()), predicted_BR - targets_BR);
  return error.square().sum();
}

double CountLabelled(std::span<const float> targets) {
  return static_cast<double>(
      std::count_if(targets.begin(), targets.end(), [](float v) { return !std::isnan(v); }));
}

}  // namespace graticule
