#include "losses/batch_collectives.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"

namespace graticule {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A scalar whose gradients are known already, one per input.
class Precomputed : public torch::autograd::Function<Precomputed> {
 public:
  static at::Tensor forward(AutogradContext* ctx, at::TensorList inputs, const at::Tensor& sum,
                            const variable_list& gradients) {
    ctx->save_for_backward(gradients);
    return sum.clone();
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    variable_list gradients = ctx->get_saved_variables();
    for (at::Tensor& gradient : gradients) gradient = gradient * grads[0].to(gradient.scalar_type());
    gradients.resize(gradients.size() + 2);  // none for the sum and the list
    return gradients;
  }
};

DType DTypeOf(const at::Tensor& t) {
  if (t.scalar_type() == at::kLong) return DType::kI64;
  GRATICULE_CHECK(t.scalar_type() == at::kFloat || t.scalar_type() == at::kDouble);
  return t.scalar_type() == at::kFloat ? DType::kF32 : DType::kF64;
}

}  // namespace

at::Tensor GatherRowsCollective(const at::Tensor& own, Communicator& comm, StreamHandle stream) {
  if (comm.world_size() == 1) return own;
  const at::Tensor send = own.contiguous();
  std::vector<int64_t> shape = send.sizes().vec();
  shape[0] *= comm.world_size();
  at::Tensor all = at::empty(shape, send.options());
  comm.AllGather(send.const_data_ptr(), all.mutable_data_ptr(), static_cast<size_t>(send.numel()),
                 DTypeOf(send), stream)
      ->WaitOn(stream);
  return all;
}

void SumOverRanksCollective(at::Tensor& values, Communicator& comm, StreamHandle stream) {
  if (comm.world_size() == 1) return;
  GRATICULE_CHECK(values.is_contiguous());
  comm.AllReduce(values.mutable_data_ptr(), static_cast<size_t>(values.numel()), DTypeOf(values),
                 ReduceOp::kSum, stream)
      ->WaitOn(stream);
}

at::Tensor WithGradients(const at::Tensor& sum, at::TensorList inputs, at::TensorList gradients) {
  GRATICULE_CHECK(inputs.size() == gradients.size());
  variable_list known;
  for (size_t i = 0; i < inputs.size(); ++i) known.push_back(gradients[i].to(inputs[i].scalar_type()));
  return Precomputed::apply(inputs, sum, known);
}

}  // namespace graticule
