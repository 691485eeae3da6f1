#include "models/transformer_block.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "models/cpu_attention.h"
#include "models/linear.h"

namespace graticule {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor Attention(const at::Tensor& qkv_BT3W, int64_t heads) {
  if (CpuAttentionApplies(qkv_BT3W, heads)) return CpuAttention(qkv_BT3W, heads);
  const int64_t batch = qkv_BT3W.size(0), tokens = qkv_BT3W.size(1), width = qkv_BT3W.size(2) / 3;
  const std::vector<at::Tensor> parts =
      qkv_BT3W.view({batch, tokens, 3, heads, width / heads}).permute({2, 0, 3, 1, 4}).unbind(0);
  const at::Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return mixed.transpose(1, 2).reshape({batch, tokens, width});
}

// x + out_proj(Attention(normed)).
at::Tensor AttendOnto(const BlockShape& shape, at::ArrayRef<at::Tensor> w, const at::Tensor& x_BTW,
                      const at::Tensor& normed_BTW) {
  const at::Tensor qkv = LinearThrice(normed_BTW, {w[kQueryWeight], w[kKeyWeight], w[kValueWeight]},
                                      {w[kQueryBias], w[kKeyBias], w[kValueBias]});
  return LinearOnto(x_BTW, Attention(qkv, shape.heads), w[kOutWeight], w[kOutBias]);
}

class RecomputedBlock : public torch::autograd::Function<RecomputedBlock> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, at::TensorList masters,
                            at::TensorList casts, const BlockShape& shape) {
    variable_list saved{x};
    saved.insert(saved.end(), casts.begin(), casts.end());
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["heads"] = shape.heads;
    ctx->saved_data["quick_gelu"] = shape.quick_gelu;
    ctx->saved_data["norm_eps"] = shape.norm_eps;
    return RunBlock(shape, casts, x);
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const BlockShape shape{ctx->saved_data["heads"].toInt(), ctx->saved_data["quick_gelu"].toBool(),
                           ctx->saved_data["norm_eps"].toDouble()};
    const variable_list saved = ctx->get_saved_variables();
    variable_list inputs, wanted;
    std::vector<size_t> slots;  // which forward input each wanted gradient belongs to
    for (size_t i = 0; i < saved.size(); ++i) {
      inputs.push_back(saved[i].detach());
      if (!ctx->needs_input_grad(i)) continue;
      inputs.back().requires_grad_(true);
      wanted.push_back(inputs.back());
      slots.push_back(i);
    }
    variable_list found;
    {
      at::AutoGradMode enable(true);
      const at::Tensor out = RunBlock(shape, at::TensorList(inputs).slice(1), inputs[0]);
      found = torch::autograd::grad({out}, wanted, {grads[0]});
    }
    // One slot per forward input: x, masters, casts (no gradient), shape.
    variable_list result(1 + 2 * kBlockWeights + 1);
    for (size_t i = 0; i < slots.size(); ++i)
      result[slots[i]] = slots[i] == 0 ? found[i] : found[i].to(at::kFloat);
    return result;
  }
};

}  // namespace

const std::array<std::string, kBlockWeights>& BlockWeightNames() {
  static const std::array<std::string, kBlockWeights> names = {"self_attn.k_proj.weight",
                                                               "self_attn.k_proj.bias",
                                                               "self_attn.v_proj.weight",
                                                               "self_attn.v_proj.bias",
                                                               "self_attn.q_proj.weight",
                                                               "self_attn.q_proj.bias",
                                                               "self_attn.out_proj.weight",
                                                               "self_attn.out_proj.bias",
                                                               "layer_norm1.weight",
                                                               "layer_norm1.bias",
                                                               "mlp.fc1.weight",
                                                               "mlp.fc1.bias",
                                                               "mlp.fc2.weight",
                                                               "mlp.fc2.bias",
                                                               "layer_norm2.weight",
                                                               "layer_norm2.bias"};
  return names;
}

at::Tensor RunBlock(const BlockShape& shape, at::ArrayRef<at::Tensor> w, const at::Tensor& x_BTW) {
  const int64_t width = x_BTW.size(2);
  const auto norm = [&](const at::Tensor& x, BlockWeight weight, BlockWeight bias) {
    return at::layer_norm(x, {width}, w[weight], w[bias], shape.norm_eps);
  };
  const at::Tensor attended = AttendOnto(shape, w, x_BTW, norm(x_BTW, kNorm1Weight, kNorm1Bias));
  return MlpOnto(attended, norm(attended, kNorm2Weight, kNorm2Bias), w[kFc1Weight], w[kFc1Bias],
                 w[kFc2Weight], w[kFc2Bias], shape.quick_gelu);
}

at::Tensor RunRecomputedBlock(const BlockShape& shape, at::ArrayRef<at::Tensor> masters,
                              at::ArrayRef<at::Tensor> casts, const at::Tensor& x_BTW) {
  return RecomputedBlock::apply(x_BTW, masters, casts, shape);
}

}  // namespace graticule
