// Cross-entropy against soft labels: the sum over rows of -sum_k y_k log softmax(z)_k.
//
// Labels need not sum to 1 (the gradient is S p - y with S = sum_k y_k), and an all-zero row contributes
// nothing: that is how rows are masked. The caller divides by the number of labelled rows of the global batch
// (docs/DETERMINISM.md). One Function: keeps the log-probabilities, no one-hot, no per-row scalars. fp32, any
// device.
#pragma once

#include <ATen/core/Tensor.h>

namespace graticule {

// logits_BK: fp32 with or without graph. labels_BK: fp32 on the same device, no graph.
at::Tensor SoftCrossEntropySum(const at::Tensor& logits_BK, const at::Tensor& labels_BK);

}  // namespace graticule
