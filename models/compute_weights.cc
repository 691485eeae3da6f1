#include "models/compute_weights.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace graticule {
namespace {

// Identity on a cast made beforehand; its gradient goes to the master in the master's dtype.
class LinkToMaster : public torch::autograd::Function<LinkToMaster> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& master,
                            const at::Tensor& cast) {
    ctx->set_materialize_grads(false);
    return cast.alias();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 torch::autograd::variable_list grads) {
    return {grads[0].defined() ? grads[0].to(at::kFloat) : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

void ComputeWeights::set_dtype(at::ScalarType dtype) {
  dtype_ = dtype;
  entries_.clear();
}

void ComputeWeights::Invalidate() { entries_.clear(); }

at::Tensor ComputeWeights::Cast(size_t index, const at::Tensor& master) {
  if (dtype_ == at::kFloat) return master.detach();
  if (entries_.size() <= index) entries_.resize(index + 1);
  Entry& entry = entries_[index];
  const int64_t version = static_cast<int64_t>(master._version());
  if (entry.version != version || entry.data != master.const_data_ptr()) {
    entry = {master.detach().to(dtype_), version, master.const_data_ptr()};
  }
  return entry.cast;
}

at::Tensor ComputeWeights::CastWithGraph(size_t index, const at::Tensor& master) {
  if (dtype_ == at::kFloat) return master;
  const at::Tensor cast = Cast(index, master);
  return master.requires_grad() ? LinkToMaster::apply(master, cast) : cast;
}

}  // namespace graticule
