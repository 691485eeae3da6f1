#include "models/vision_tower.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>

#include "base/error.h"
#include "models/heads.h"

namespace graticule {
namespace {

VisionConfig Tiny() {
  VisionConfig c;
  c.image_size = 16, c.patch_size = 8, c.width = 32, c.layers = 3, c.heads = 2, c.mlp_width = 48,
  c.projection = 8;
  return c;
}

const at::Tensor& Named(const VisionTower& tower, const std::string& name) {
  for (const NamedTensor& p : tower.parameters())
    if (p.name == name) return p.tensor;
  throw Error(ErrorCode::kBug, "no parameter " + name);
}

double Loss(const VisionOutput& out) {
  return out.image_embeds_BP.sum().item<double>() + out.last_hidden_state_BTW.square().mean().item<double>();
}

void Backward(VisionTower& tower, const at::Tensor& images) {
  const VisionOutput out = tower.Forward(images, true, true);
  (out.image_embeds_BP.sum() + out.last_hidden_state_BTW.to(at::kFloat).square().mean()).backward();
}

TEST(VisionTower, DrawsTheSameWeightsWhateverTheModelAroundThem) {
  VisionConfig deeper = Tiny();
  deeper.layers = 5;
  const VisionTower a(Tiny(), 7), b(deeper, 7), c(Tiny(), 8);
  const std::string name = "vision_model.embeddings.patch_embedding.weight";
  EXPECT_TRUE(at::equal(Named(a, name), Named(b, name)));
  EXPECT_FALSE(at::equal(Named(a, name), Named(c, name)));
  EXPECT_NEAR(Named(a, name).std().item<double>(), 0.02, 0.001);
  EXPECT_NEAR(Named(a, "vision_model.encoder.layers.1.mlp.fc1.weight").std().item<double>(),
              1 / std::sqrt(64.0), 0.01);
  EXPECT_EQ(Named(a, "vision_model.post_layernorm.weight").sum().item<double>(), 32);
  EXPECT_EQ(Named(a, "vision_model.encoder.layers.0.self_attn.q_proj.bias").abs().sum().item<double>(), 0);
}

TEST(VisionTower, HasThePublishedNumberOfParameters) {
  EXPECT_EQ(VisionPreset("clip-vit-b32").ParameterCount(), 87849216);
  EXPECT_EQ(VisionPreset("clip-vit-l14").ParameterCount(), 303966208);
  EXPECT_EQ(VisionPreset("clip-vit-l14-336").ParameterCount(), 304293888);
  int64_t built = 0;
  const VisionTower tiny(Tiny(), 1);
  for (const NamedTensor& p : tiny.parameters()) built += p.tensor.numel();
  EXPECT_EQ(built, Tiny().Completed().ParameterCount());
}

TEST(VisionTower, RecomputesToTheSameBits) {
  at::manual_seed(1);
  const at::Tensor images = at::randn({3, 3, 16, 16});
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    VisionTower kept(Tiny(), 7), recomputed(Tiny(), 7);
    kept.set_compute_dtype(dtype);
    recomputed.set_compute_dtype(dtype);
    recomputed.set_recompute(true);
    Backward(kept, images);
    Backward(recomputed, images);
    for (size_t i = 0; i < kept.parameters().size(); ++i)
      EXPECT_TRUE(at::equal(kept.parameters()[i].tensor.grad(), recomputed.parameters()[i].tensor.grad()))
          << kept.parameters()[i].name;
  }
}

TEST(VisionTower, FiresEachAccumulationHookOnce) {
  for (const bool recompute : {false, true}) {
    VisionTower tower(Tiny(), 7);
    tower.set_recompute(recompute);
    std::vector<int> fired(tower.parameters().size());
    std::vector<std::shared_ptr<torch::autograd::Node>> accumulators;
    for (size_t i = 0; i < fired.size(); ++i) {
      accumulators.push_back(torch::autograd::impl::grad_accumulator(tower.parameters()[i].tensor));
      accumulators.back()->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(
          [&fired, i](const torch::autograd::variable_list& outputs, const torch::autograd::variable_list&) {
            ++fired[i];
            return outputs;
          }));
    }
    Backward(tower, at::randn({2, 3, 16, 16}));
    EXPECT_EQ(fired, std::vector<int>(fired.size(), 1)) << "recompute " << recompute;
  }
}

TEST(VisionTower, HasTheGradientOfFiniteDifferences) {
  at::manual_seed(2);
  const at::Tensor images = at::randn({2, 3, 16, 16});
  VisionTower tower(Tiny(), 7);
  Backward(tower, images);
  at::NoGradGuard no_grad;
  for (const char* name :
       {"vision_model.embeddings.class_embedding", "vision_model.encoder.layers.0.self_attn.v_proj.weight",
        "vision_model.encoder.layers.2.mlp.fc1.bias", "visual_projection.weight"}) {
    at::Tensor parameter = Named(tower, name);
    const at::Tensor direction = at::randn_like(parameter);
    const double slope = (parameter.grad() * direction).sum().item<double>(), h = 1e-3;
    parameter.add_(direction, h);
    const double above = Loss(tower.Forward(images, true, true));
    parameter.sub_(direction, 2 * h);
    const double below = Loss(tower.Forward(images, true, true));
    parameter.add_(direction, h);
    EXPECT_NEAR(slope, (above - below) / (2 * h), 2e-3 * std::max(1.0, std::abs(slope))) << name;
  }
}

TEST(VisionTower, FreezesPrefixAndUnreachedTail) {
  VisionTower tower(Tiny(), 7);
  tower.Freeze(2, false, false);
  const VisionOutput out = tower.Forward(at::randn({1, 3, 16, 16}), false, false);
  out.last_hidden_state_BTW.sum().backward();
  for (const NamedTensor& p : tower.parameters())
    EXPECT_EQ(p.tensor.grad().defined(), p.name.starts_with("vision_model.encoder.layers.2.")) << p.name;
  tower.Freeze(-1, true, true);
  EXPECT_FALSE(tower.Forward(at::randn({1, 3, 16, 16}), true, true).image_embeds_BP.requires_grad());
  tower.Freeze(0, true, false);
  EXPECT_TRUE(Named(tower, "vision_model.post_layernorm.bias").requires_grad());
  EXPECT_FALSE(Named(tower, "visual_projection.weight").requires_grad());
}

TEST(VisionTower, RenewsItsCastsWhenWeightsChange) {
  at::manual_seed(3);
  const at::Tensor images = at::randn({1, 3, 16, 16});
  VisionTower tower(Tiny(), 7);
  tower.set_compute_dtype(at::kBFloat16);
  at::NoGradGuard no_grad;
  const double before =
      tower.Forward(images, false, false).last_hidden_state_BTW.square().sum().item<double>();
  at::Tensor weight = Named(tower, "vision_model.encoder.layers.2.mlp.fc2.weight");
  weight.mul_(30);
  const double after =
      tower.Forward(images, false, false).last_hidden_state_BTW.square().sum().item<double>();
  EXPECT_NE(before, after);
}

TEST(VisionTower, ComputesTheActivationAsDefined) {
  // One block whose attention is silent: x + fc2(act(fc1(LN(x)))), worked out in double by hand.
  VisionConfig c = Tiny();
  c.layers = 1;
  for (const char* activation : {"quick_gelu", "gelu"}) {
    c.activation = activation;
    VisionTower tower(c, 7);
    at::NoGradGuard no_grad;
    for (const NamedTensor& p : tower.parameters())
      if (p.name.find("out_proj") != std::string::npos) at::Tensor(p.tensor).zero_();
    const at::Tensor images = at::randn({1, 3, 16, 16});
    const auto wide = [&](const char* name) { return Named(tower, name).to(at::kDouble); };
    const auto norm = [](const at::Tensor& x) {
      const at::Tensor centred = x - x.mean(-1, true);
      return centred / (centred.square().mean(-1, true) + 1e-5).sqrt();
    };
    const at::Tensor patches =
        at::conv2d(images.to(at::kDouble), wide("vision_model.embeddings.patch_embedding.weight"), {}, 8);
    const at::Tensor tokens = at::cat({wide("vision_model.embeddings.class_embedding").view({1, 1, 32}),
                                       patches.flatten(2).transpose(1, 2)},
                                      1);
    const at::Tensor x = norm(tokens + wide("vision_model.embeddings.position_embedding.weight"));
    const at::Tensor hidden = at::linear(norm(x), wide("vision_model.encoder.layers.0.mlp.fc1.weight"));
    const at::Tensor active = std::string(activation) == "gelu"
                                  ? hidden * 0.5 * (1 + at::erf(hidden / std::sqrt(2.0)))
                                  : hidden * at::sigmoid(1.702 * hidden);
    const at::Tensor expected = x + at::linear(active, wide("vision_model.encoder.layers.0.mlp.fc2.weight"));
    const at::Tensor found = tower.Forward(images, false, false).last_hidden_state_BTW.to(at::kDouble);
    EXPECT_LT(((found - expected).norm() / expected.norm()).item<double>(), 1e-6) << activation;
  }
}

TEST(Heads, PoolOverAllTokensAndNameTheirParameters) {
  VisionOutput out;
  out.last_hidden_state_BTW = at::arange(12, at::kFloat).view({1, 3, 4});
  out.pooler_output_BW = at::ones({1, 4});
  EXPECT_TRUE(at::equal(Pool(out, "mean"), at::tensor({4.0f, 5.0f, 6.0f, 7.0f}).view({1, 4})));
  EXPECT_TRUE(at::equal(Pool(out, "cls"), out.pooler_output_BW));
  const Heads heads(4, {{"geocell", 5}, {"climate", kClimateClasses}}, 1);
  EXPECT_EQ(heads.parameters()[2].name, "heads.climate.weight");
  const std::vector<at::Tensor> outputs = heads.Forward(at::ones({2, 4}));
  EXPECT_EQ(outputs[0].sizes(), (std::vector<int64_t>{2, 5}));
  const at::Tensor expected = heads.parameters()[0].tensor.sum(1) + heads.parameters()[1].tensor;
  EXPECT_TRUE(at::allclose(outputs[0][1], expected));
  EXPECT_LE(heads.parameters()[0].tensor.abs().max().item<double>(), 0.5);
}

}  // namespace
}  // namespace graticule
