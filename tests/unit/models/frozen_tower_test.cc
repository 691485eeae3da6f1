#include "models/frozen_tower.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/grad_mode.h>

#include "base/error.h"

namespace graticule {
namespace {

VisionConfig Small() {
  VisionConfig c;
  c.image_size = 16, c.patch_size = 8, c.width = 32, c.layers = 2, c.heads = 2, c.projection = 8,
  c.activation = "gelu";
  return c;
}

TEST(FrozenTower, OutputsAreThoseOfTheTower) {
  const torch::autograd::AutoGradMode no_grad(false);
  VisionTower tower(Small(), 3);
  const at::Tensor images = at::arange(2 * 3 * 16 * 16).view({2, 3, 16, 16}).to(at::kFloat).sin();
  const VisionOutput all = tower.Forward(images, true, true);
  EXPECT_TRUE(at::equal(TowerOutput(tower, images, "image_embeds"), all.image_embeds_BP));
  EXPECT_TRUE(at::equal(TowerOutput(tower, images, "pooler_output"), all.pooler_output_BW));
  const at::Tensor mean = all.last_hidden_state_BTW.to(at::kDouble).mean(1);
  EXPECT_LT((TowerOutput(tower, images, "mean_tokens") - mean).abs().max().item<double>(), 1e-6);
  for (const std::string& output : TowerOutputs())
    EXPECT_EQ(TowerOutput(tower, images, output).size(1), TowerOutputWidth(tower.config(), output));
  EXPECT_THROW(TowerOutput(tower, images, "last_hidden_state"), Error);
}

TEST(FrozenTower, HashTellsTowersApart) {
  VisionTower tower(Small(), 3);
  const std::string hash = TowerSha256(tower);
  EXPECT_EQ(TowerSha256(VisionTower(Small(), 3)), hash);
  EXPECT_NE(TowerSha256(VisionTower(Small(), 4)), hash);
  VisionConfig other = Small();
  other.activation = "quick_gelu";
  EXPECT_NE(TowerSha256(VisionTower(other, 3)), hash);
  const torch::autograd::AutoGradMode no_grad(false);
  at::Tensor bias = tower.parameters().back().tensor;
  float* value = bias.mutable_data_ptr<float>();
  *value = std::nextafter(*value, 1e9f);
  EXPECT_NE(TowerSha256(tower), hash);
}

}  // namespace
}  // namespace graticule
