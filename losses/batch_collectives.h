// Tensors of single ranks made into those of the global batch, and scalars whose gradient is known in
// forward: what a loss needs to be exact on any number of ranks without a collective in backward
// (docs/CONTRASTIVE.md).
//
// stream: of the device, null on a CPU. fp32, fp64 or int64 on one device. Failure: Error(kPeer) from the
// communicator. Not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/comm/communicator.h"

namespace graticule {

// Collective. Rows of all ranks in rank order; every rank has as many. The tensor itself in a world of one.
at::Tensor GatherRowsCollective(const at::Tensor& own, Communicator& comm, StreamHandle stream);

// Collective. In place; values must be contiguous.
void SumOverRanksCollective(at::Tensor& values, Communicator& comm, StreamHandle stream);

// The scalar with a graph: backward gives each input its gradient, scaled. One gradient per input, taken to
// the input's type.
at::Tensor WithGradients(const at::Tensor& sum, at::TensorList inputs, at::TensorList gradients);

}  // namespace graticule
