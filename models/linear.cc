#include "models/linear.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "models/activation.h"
#include "models/cpu_kernels.h"

namespace graticule {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor Rows(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

at::Tensor Reshaped(const at::Tensor& rows, const at::Tensor& like) {
  std::vector<int64_t> shape = like.sizes().vec();
  shape.back() = rows.size(-1);
  return rows.view(shape);
}

// Gradients of rows y = x W^T, each only where it is wanted.
at::Tensor InputGradient(bool wanted, const at::Tensor& grad_rows, const at::Tensor& weight,
                         const at::Tensor& like) {
  return wanted ? Reshaped(Multiply(grad_rows, weight), like) : at::Tensor();
}
at::Tensor WeightGradient(bool wanted, const at::Tensor& grad_rows, const at::Tensor& x_rows) {
  return wanted ? Multiply(grad_rows.t(), x_rows) : at::Tensor();
}
at::Tensor BiasGradient(bool wanted, const at::Tensor& grad_rows) {
  return wanted ? grad_rows.sum(0) : at::Tensor();
}

class ProductFunction : public torch::autograd::Function<ProductFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight) {
    ctx->save_for_backward({x, weight});
    return Reshaped(Multiply(Rows(x), weight.t()), x);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor grad = Rows(grads[0]).contiguous();
    return {InputGradient(ctx->needs_input_grad(0), grad, saved[1], saved[0]),
            WeightGradient(ctx->needs_input_grad(1), grad, Rows(saved[0]))};
  }
};

class ThriceFunction : public torch::autograd::Function<ThriceFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, at::TensorList weights,
                            at::TensorList biases) {
    const at::Tensor weight = at::cat(weights), rows = Rows(x);
    ctx->save_for_backward({x, weight});
    at::Tensor out = at::cat(biases).expand({rows.size(0), weight.size(0)}).contiguous();
    Multiply(rows, weight.t(), out, /*add=*/true);
    return Reshaped(out, x);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor grad = Rows(grads[0]).contiguous();
    const at::Tensor d_weight = WeightGradient(ctx->needs_input_grad(1), grad, Rows(saved[0]));
    const at::Tensor d_bias = BiasGradient(ctx->needs_input_grad(4), grad);
    variable_list result = {InputGradient(ctx->needs_input_grad(0), grad, saved[1], saved[0])};
    for (const at::Tensor& joint : {d_weight, d_bias})
      for (size_t part = 0; part < 3; ++part)
        result.push_back(joint.defined() ? joint.chunk(3)[part] : at::Tensor());
    return result;
  }
};

class OntoFunction : public torch::autograd::Function<OntoFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& residual, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias) {
    ctx->save_for_backward({x, weight});
    at::Tensor out = residual + bias;
    at::Tensor rows = Rows(out);
    Multiply(Rows(x), weight.t(), rows, /*add=*/true);
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor grad = Rows(grads[0]).contiguous();
    return {grads[0], InputGradient(ctx->needs_input_grad(1), grad, saved[1], saved[0]),
            WeightGradient(ctx->needs_input_grad(2), grad, Rows(saved[0])),
            BiasGradient(ctx->needs_input_grad(3), grad)};
  }
};

class QuickGeluMlpFunction : public torch::autograd::Function<QuickGeluMlpFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& residual, const at::Tensor& x,
                            const at::Tensor& weight1, const at::Tensor& bias1, const at::Tensor& weight2,
                            const at::Tensor& bias2) {
    const at::Tensor hidden = Multiply(Rows(x), weight1.t());
    ctx->save_for_backward({x, hidden, weight1, bias1, weight2});
    at::Tensor out = residual + bias2;
    at::Tensor rows = Rows(out);
    Multiply(BiasQuickGelu(hidden, bias1), weight2.t(), rows, /*add=*/true);
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &weight1 = saved[2], &weight2 = saved[4];
    const at::Tensor grad = Rows(grads[0]).contiguous();
    at::Tensor d_hidden = Multiply(grad, weight2);
    const QuickGeluGradient inner = BiasQuickGeluBackward(saved[1], saved[3], d_hidden);
    return {grads[0],
            InputGradient(ctx->needs_input_grad(1), d_hidden, weight1, x),
            WeightGradient(ctx->needs_input_grad(2), d_hidden, Rows(x)),
            ctx->needs_input_grad(3) ? inner.bias_grad : at::Tensor(),
            WeightGradient(ctx->needs_input_grad(4), grad, inner.active),
            BiasGradient(ctx->needs_input_grad(5), grad)};
  }
};

}  // namespace

at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!UsesCpuKernels(x)) return at::linear(x, weight, bias);
  const at::Tensor product = ProductFunction::apply(x, weight);
  return bias.defined() ? product + bias : product;
}

at::Tensor LinearThrice(const at::Tensor& x, at::ArrayRef<at::Tensor> weights,
                        at::ArrayRef<at::Tensor> biases) {
  return UsesCpuKernels(x) ? ThriceFunction::apply(x, weights, biases)
                           : at::linear(x, at::cat(weights), at::cat(biases));
}

at::Tensor LinearOnto(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias) {
  return UsesCpuKernels(x) ? OntoFunction::apply(residual, x, weight, bias)
                           : residual + at::linear(x, weight, bias);
}

at::Tensor MlpOnto(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight1,
                   const at::Tensor& bias1, const at::Tensor& weight2, const at::Tensor& bias2,
                   bool quick_gelu) {
  if (quick_gelu && UsesCpuKernels(x))
    return QuickGeluMlpFunction::apply(residual, x, weight1, bias1, weight2, bias2);
  const at::Tensor hidden = Linear(x, weight1, bias1);
  return LinearOnto(residual, quick_gelu ? QuickGelu(hidden) : at::gelu(hidden), weight2, bias2);
}

}  // namespace graticule
