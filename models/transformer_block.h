// One pre-norm transformer block of CLIP: x += Attention(LN1(x)); x += MLP(LN2(x)). No dropout, no mask.
//
// A block is a pure function of its input and its 16 weights. RecomputedBlock keeps the input alone and runs
// the block again in backward; as an autograd Function with the weights as inputs it returns their gradients,
// so that accumulation hooks fire exactly once. Thread rule: that of autograd.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace graticule {

// Order of a block's weights; HF's module order.
enum BlockWeight : size_t {
  kKeyWeight,
  kKeyBias,
  kValueWeight,
  kValueBias,
  kQueryWeight,
  kQueryBias,
  kOutWeight,
  kOutBias,
  kNorm1Weight,
  kNorm1Bias,
  kFc1Weight,
  kFc1Bias,
  kFc2Weight,
  kFc2Bias,
  kNorm2Weight,
  kNorm2Bias,
  kBlockWeights
};

struct BlockShape {
  int64_t heads = 0;
  bool quick_gelu = true;  // else GELU (erf)
  double norm_eps = 1e-5;
};

// HF key of a weight below "vision_model.encoder.layers.<i>.".
const std::array<std::string, kBlockWeights>& BlockWeightNames();

// x_BTW and weights in one dtype. The graph goes to x and to every weight that requires grad.
at::Tensor RunBlock(const BlockShape& shape, at::ArrayRef<at::Tensor> weights, const at::Tensor& x_BTW);

// masters: fp32 weights that receive the gradients; casts: the same in the dtype of x (may be the masters).
at::Tensor RunRecomputedBlock(const BlockShape& shape, at::ArrayRef<at::Tensor> masters,
                              at::ArrayRef<at::Tensor> casts, const at::Tensor& x_BTW);

}  // namespace graticule
