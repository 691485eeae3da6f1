// Launches the kernel behind ContrastiveKernels::LeaveOut. Part of the CUDA module.
//
// Device memory; asynchronous on `stream`, a cudaStream_t. Returns a cudaError_t.
#pragma once

#include "losses/contrastive/contrastive_kernels.h"

namespace graticule {

int LaunchLeaveOut(const LogitBlock& logits, const Mask& mask, void* stream);

}  // namespace graticule
