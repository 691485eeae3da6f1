// Rows of all ranks, one after the other.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/comm/communicator.h"

namespace graticule {

// Collective. own_RD: fp32 or fp64, of one shape on all ranks -> [W * R, D], in rank order; of one rank the
// tensor itself. stream: of the device, null on a CPU. Failure: Error(kPeer) from the communicator.
at::Tensor GatherRowsCollective(const at::Tensor& own_RD, Communicator& comm, StreamHandle stream = nullptr);

}  // namespace graticule
