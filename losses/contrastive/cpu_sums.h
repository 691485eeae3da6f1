// The two things that an objective of log-sum-exps does to a block of logits, each in one pass on the CPU:
// sums over rows or columns, and the gradient in place. The library's operators take five passes and three
// matrices for either (bench/results/contrastive_loss.json).
//
// Negatives that are -inf weigh exactly 0. Arithmetic is fp32, every exponent is taken to its own maximum,
// and sums leave fp32 every 4096 values. The number of threads does not change a result. Pure.
//
// Legend: R rows, C columns; K = 3 statistics (A, E, kappa) of a row, contiguous.
#pragma once

#include <ATen/core/Tensor.h>

#include "losses/contrastive/contrastive_kernels.h"

namespace graticule {

// fp32 on the CPU, values of a row side by side.
bool CpuSumsApply(const at::Tensor& logits_RC);

// [R, 2] for dim 1, [C, 2] for dim 0: log sum e^(steep l) and log sum e^(flat l), or the first one twice.
at::Tensor CpuLogSums(const at::Tensor& logits_RC, int64_t dim, Slopes slopes);

// l becomes kappa (steep e^(steep l - A) - flat e^(flat l - E)), or kappa e^(steep l - A) without flat: by
// the statistics of its row times row_share, plus by those of its column times column_share where such are
// given.
void CpuGradient(at::Tensor& logits_RC, Slopes slopes, const at::Tensor& rows_RK, float row_share,
                 const at::Tensor& columns_CK = {}, float column_share = 0);

}  // namespace graticule
