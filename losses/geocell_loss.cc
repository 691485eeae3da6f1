#include "losses/geocell_loss.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"

namespace graticule {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class SoftCrossEntropy : public torch::autograd::Function<SoftCrossEntropy> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& logits_BK, const at::Tensor& labels_BK) {
    const at::Tensor log_p = at::log_softmax(logits_BK, 1);
    ctx->save_for_backward({log_p, labels_BK});
    // y = 0 meets log p = -inf only where a logit is infinite; that is for the step's finiteness check to
    // see.
    return (log_p * labels_BK).sum().neg_();
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& labels_BK = saved[1];
    const at::Tensor grad = saved[0].exp().mul_(labels_BK.sum(1, /*keepdim=*/true)).sub_(labels_BK);
    return {grad.mul_(grads[0]), at::Tensor()};
  }
};

}  // namespace

at::Tensor SoftCrossEntropySum(const at::Tensor& logits_BK, const at::Tensor& labels_BK) {
  GRATICULE_CHECK(logits_BK.sizes() == labels_BK.sizes() && !labels_BK.requires_grad());
  return SoftCrossEntropy::apply(logits_BK, labels_BK);
}

}  // namespace graticule
