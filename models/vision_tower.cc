#include "models/vision_tower.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <cmath>

#include "base/error.h"
#include "models/compute_weights.h"
#include "models/initialise.h"
#include "models/linear.h"
#include "models/transformer_block.h"

namespace graticule {
namespace {

// Order of parameters_ outside the blocks.
enum : size_t { kClass, kPatch, kPosition, kPreNormWeight, kPreNormBias, kBlocks };
enum : size_t { kPostNormWeight, kPostNormBias, kProjection, kTail };  // counted from the end of the blocks

struct Spec {
  std::string name;
  std::vector<int64_t> shape;
  double deviation = 0;  // of the initial normal draw; 0: constant
  double constant = 0;
};

std::vector<int64_t> BlockWeightShape(size_t weight, int64_t width, int64_t mlp) {
  switch (weight) {
    case kKeyWeight:
    case kValueWeight:
    case kQueryWeight:
    case kOutWeight:
      return {width, width};
    case kFc1Weight:
      return {mlp, width};
    case kFc2Weight:
      return {width, mlp};
    case kFc1Bias:
      return {mlp};
    default:
      return {width};
  }
}

// Standard deviations of transformers' CLIP with initializer_factor 1.
double BlockWeightDeviation(size_t weight, double width, double layers) {
  const double residual = 1 / std::sqrt(width * 2 * layers);
  switch (weight) {
    case kKeyWeight:
    case kValueWeight:
    case kQueryWeight:
    case kFc2Weight:
      return residual;
    case kOutWeight:
      return 1 / std::sqrt(width);
    case kFc1Weight:
      return 1 / std::sqrt(2 * width);
    default:
      return 0;
  }
}

std::vector<Spec> Specs(const VisionConfig& c) {
  const double width = static_cast<double>(c.width), table = 0.02;
  const std::string vision = "vision_model.";
  std::vector<Spec> specs = {
      {vision + "embeddings.class_embedding", {c.width}, 1 / std::sqrt(width)},
      {vision + "embeddings.patch_embedding.weight", {c.width, 3, c.patch_size, c.patch_size}, table},
      {vision + "embeddings.position_embedding.weight", {c.Tokens(), c.width}, table},
      {vision + "pre_layrnorm.weight", {c.width}, 0, 1},
      {vision + "pre_layrnorm.bias", {c.width}}};
  for (int64_t layer = 0; layer < c.layers; ++layer)
    for (size_t w = 0; w < kBlockWeights; ++w)
      specs.push_back({fmt::format("{}encoder.layers.{}.{}", vision, layer, BlockWeightNames()[w]),
                       BlockWeightShape(w, c.width, c.mlp_width),
                       BlockWeightDeviation(w, width, static_cast<double>(c.layers)),
                       w == kNorm1Weight || w == kNorm2Weight ? 1.0 : 0.0});
  specs.push_back({vision + "post_layernorm.weight", {c.width}, 0, 1});
  specs.push_back({vision + "post_layernorm.bias", {c.width}});
  specs.push_back({"visual_projection.weight", {c.projection, c.width}, 1 / std::sqrt(width)});
  return specs;
}

// [B,3,H,W] -> [B, patches, 3 p p]: rows of the GEMM that stands for the strided convolution.
at::Tensor Unfold(const at::Tensor& images, int64_t patch) {
  const int64_t batch = images.size(0), grid = images.size(2) / patch;
  return images.view({batch, 3, grid, patch, grid, patch})
      .permute({0, 2, 4, 1, 3, 5})
      .reshape({batch, grid * grid, 3 * patch * patch});
}

}  // namespace

VisionTower::VisionTower(const VisionConfig& config, std::optional<uint64_t> seed)
    : config_(config.Completed()), compute_(std::make_unique<ComputeWeights>()) {
  at::NoGradGuard no_grad;
  for (Spec& spec : Specs(config_)) {
    at::Tensor tensor = at::empty(spec.shape, at::kFloat);
    if (seed && spec.deviation > 0) FillNormal(tensor, spec.deviation, *seed, spec.name);
    if (seed && spec.deviation == 0) tensor.fill_(spec.constant);
    tensor.requires_grad_(true);
    parameters_.push_back({std::move(spec.name), std::move(tensor)});
  }
}

VisionTower::~VisionTower() = default;
VisionTower::VisionTower(VisionTower&&) noexcept = default;

void VisionTower::set_compute_dtype(at::ScalarType dtype) {
  GRATICULE_CHECK(dtype == at::kFloat || dtype == at::kBFloat16);
  compute_->set_dtype(dtype);
}

void VisionTower::To(const at::Device& device) {
  at::NoGradGuard no_grad;
  for (NamedTensor& parameter : parameters_) parameter.tensor.set_data(parameter.tensor.to(device));
  compute_->Invalidate();
}

void VisionTower::Freeze(int64_t frozen_layers, bool pooler_used, bool embeds_used) {
  const size_t tail = parameters_.size() - kTail;
  const size_t prefix = frozen_layers > 0 ? kBlocks + static_cast<size_t>(frozen_layers) * kBlockWeights : 0;
  GRATICULE_CHECK(frozen_layers <= config_.layers);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    bool trained = frozen_layers >= 0 && i >= prefix;
    if (i >= tail) trained = trained && (pooler_used || embeds_used);
    if (i == tail + kProjection) trained = trained && embeds_used;
    parameters_[i].tensor.requires_grad_(trained);
  }
}

at::Tensor VisionTower::Embed(const at::Tensor& images_B3HW, at::ArrayRef<at::Tensor> w) const {
  const int64_t batch = images_B3HW.size(0), width = config_.width;
  const at::Tensor rows = Unfold(images_B3HW.to(w[kPatch].scalar_type()), config_.patch_size);
  const at::Tensor patches = Linear(rows, w[kPatch].view({width, -1}), {});
  const at::Tensor tokens = at::cat({w[kClass].view({1, 1, width}).expand({batch, 1, width}), patches}, 1);
  return at::layer_norm(tokens + w[kPosition], {width}, w[kPreNormWeight], w[kPreNormBias],
                        config_.layer_norm_eps);
}

VisionOutput VisionTower::Forward(const at::Tensor& images_B3HW, bool needs_pooler, bool needs_embeds) {
  const int64_t size = config_.image_size, width = config_.width;
  GRATICULE_CHECK(images_B3HW.dim() == 4 && images_B3HW.size(1) == 3 && images_B3HW.size(2) == size &&
                      images_B3HW.size(3) == size,
                  "images must be [B, 3, image_size, image_size]");
  const BlockShape shape{config_.heads, config_.activation == "quick_gelu", config_.layer_norm_eps};
  const size_t tail = parameters_.size() - kTail;
  const auto weights = [&](size_t begin, size_t count, bool graph) {
    std::vector<at::Tensor> list;
    for (size_t i = begin; i < begin + count; ++i)
      list.push_back(graph ? compute_->CastWithGraph(i, parameters_[i].tensor)
                           : compute_->Cast(i, parameters_[i].tensor));
    return list;
  };
  at::Tensor x = Embed(images_B3HW.contiguous(), weights(0, kBlocks, true));
  for (size_t first = kBlocks; first < tail; first += kBlockWeights) {
    if (!recompute_) {
      x = RunBlock(shape, weights(first, kBlockWeights, true), x);
      continue;
    }
    std::vector<at::Tensor> masters;
    for (size_t i = 0; i < kBlockWeights; ++i) masters.push_back(parameters_[first + i].tensor);
    x = RunRecomputedBlock(shape, masters, weights(first, kBlockWeights, false), x);
  }
  VisionOutput output;
  output.last_hidden_state_BTW = x;
  if (!needs_pooler && !needs_embeds) return output;
  // One token per image: fp32 on the masters costs nothing and keeps the exported embedding exact.
  const at::Tensor pooled =
      at::layer_norm(x.select(1, 0).to(at::kFloat), {width}, parameters_[tail + kPostNormWeight].tensor,
                     parameters_[tail + kPostNormBias].tensor, config_.layer_norm_eps);
  if (needs_pooler) output.pooler_output_BW = pooled;
  if (needs_embeds) output.image_embeds_BP = at::linear(pooled, parameters_[tail + kProjection].tensor);
  return output;
}

}  // namespace graticule
