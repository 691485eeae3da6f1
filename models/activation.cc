#include "models/activation.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace graticule {
namespace {

constexpr double kSlope = 1.702;

// QuickGELU(x) = SiLU(s x) / s, and its derivative is SiLU's at s x: the library's fused SiLU kernels serve
// both.
class QuickGeluFunction : public torch::autograd::Function<QuickGeluFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x) {
    ctx->save_for_backward({x});
    at::Tensor scaled = x * kSlope;
    return at::silu_(scaled).div_(kSlope);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    return {at::silu_backward(grads[0], ctx->get_saved_variables()[0] * kSlope)};
  }
};

}  // namespace

at::Tensor QuickGelu(const at::Tensor& x) { return QuickGeluFunction::apply(x); }

}  // namespace graticule
