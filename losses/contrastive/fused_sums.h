// The two operations of an objective of log-sum-exps in one pass each, wherever the logits lie: by the
// kernels of their device where there are any, by cpu_sums.h on the CPU.
//
// Pure, but for gradients in place; thread-safe. Legend as in cpu_sums.h, which says what they compute.
#pragma once

#include <ATen/core/Tensor.h>

#include "losses/contrastive/contrastive_kernels.h"

namespace graticule {

// The kernels that read these logits: fp32, values of a row side by side. Null: none.
const ContrastiveKernels* KernelsFor(const at::Tensor& logits_RC);

LogitBlock BlockOf(const at::Tensor& logits_RC);

// On the CPU and where there are kernels.
bool FusedSumsApply(const at::Tensor& logits_RC);

at::Tensor FusedLogSums(const at::Tensor& logits_RC, int64_t dim, Slopes slopes);

void FusedGradient(at::Tensor& logits_RC, Slopes slopes, const at::Tensor& rows_RK, float row_share,
                   const at::Tensor& columns_CK = {}, float column_share = 0);

}  // namespace graticule
