// Weights in the dtype that the tower computes in: the fp32 master itself, or a bf16 cast of it that is made
// once per update and shared by all micro-batches of a step and by recomputation in backward.
//
// Gradients of a cast weight arrive at the fp32 master. A cast is stale when the master's version counter or
// address differs from when it was made. Not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace graticule {

class ComputeWeights {
 public:
  void set_dtype(at::ScalarType dtype);
  at::ScalarType dtype() const { return dtype_; }
  void Invalidate();

  // The plain cast of master number `index`, without a graph.
  at::Tensor Cast(size_t index, const at::Tensor& master);
  // The same, with a graph back to the master.
  at::Tensor CastWithGraph(size_t index, const at::Tensor& master);

 private:
  struct Entry {
    at::Tensor cast;
    int64_t version = -1;
    const void* data = nullptr;
  };
  at::ScalarType dtype_ = at::kFloat;
  std::vector<Entry> entries_;
};

}  // namespace graticule
