// Losses of the auxiliary heads, each a sum over the labelled entries; the caller divides by how many those
// are in the global batch (docs/DETERMINISM.md). fp32, any device; targets carry no graph.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace graticule {

// Climate, month: labels_B int64, -1 masks a row.
at::Tensor ClassCrossEntropySum(const at::Tensor& logits_BC, const at::Tensor& labels_B);
double CountLabelled(std::span<const int32_t> labels);

// Squared error against standardised targets (losses/regression_targets.h), NaN masks an entry.
at::Tensor SquaredErrorSum(const at::Tensor& predicted_BR, const at::Tensor& targets_BR);
double CountLabelled(std::span<const float> targets);

}  // namespace graticule
