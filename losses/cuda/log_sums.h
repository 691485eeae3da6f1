// Launches the kernels behind ContrastiveKernels (losses/contrastive/contrastive_kernels.h). Part of the CUDA
// module.
//
// Device memory; asynchronous on `stream`, a cudaStream_t. Return a cudaError_t.
#pragma once

#include "losses/contrastive/contrastive_kernels.h"

namespace graticule {

int LaunchLogSums(const LogitBlock& logits, bool of_columns, Slopes slopes, float* sums, void* stream);

int LaunchGradient(const LogitBlock& logits, Slopes slopes, const LineStatistics& rows,
                   const LineStatistics& columns, void* stream);

}  // namespace graticule
