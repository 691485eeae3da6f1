// Batch norm over the rows of all ranks, forward and backward as two calls, so that a loss can make its
// gradient in forward: no collective waits inside the engine's backward pass (docs/CONTRASTIVE.md).
//
// Each view has statistics of its own, as if the views went through the network one after the other. Means
// and variances are summed in fp64, the variance in a second pass over centred values. There are no running
// statistics: what is normalised here is never evaluated. Scale and shift may be undefined: there are none,
// and no gradients of them. One object is one use of a layer: Forward, then Backward. Any floating type, one
// device, one thread. Failure: Error(kPeer) from the communicator.
//
// Legend: B rows of this rank (as many on every rank), V views, C channels.
// Source: Ioffe and Szegedy 2015 (arXiv 1502.03167), algorithm 1 and section 3.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/comm/communicator.h"

namespace graticule {

class SyncBatchNorm {
 public:
  struct Gradients {
    at::Tensor x_BVC;
    at::Tensor scale_C, shift_C;  // this rank's part of the sum
  };

  SyncBatchNorm(const at::Tensor& scale_C, const at::Tensor& shift_C, Communicator& comm, StreamHandle stream)
      : scale_C_(scale_C), shift_C_(shift_C), comm_(comm), stream_(stream) {}

  at::Tensor ForwardCollective(const at::Tensor& x_BVC);
  // y_BVC: gradient, towards the output, of a sum over the rows of all ranks.
  Gradients BackwardCollective(const at::Tensor& y_BVC) const;

 private:
  at::Tensor MeanCollective(at::Tensor sums, int64_t own_rows) const;

  at::Tensor scale_C_, shift_C_;
  Communicator& comm_;
  StreamHandle stream_;
  at::Tensor normal_BVC_;  // what scale and shift were applied to
  at::Tensor inverse_VC_;  // 1 / standard deviation
};

}  // namespace graticule
