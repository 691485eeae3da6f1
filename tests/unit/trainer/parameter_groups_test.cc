#include "trainer/optim/parameter_groups.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>

namespace graticule {
namespace {

std::vector<NamedTensor> Tower() {
  const auto matrix = [] { return at::zeros({2, 2}).requires_grad_(true); };
  const auto vector = [] { return at::zeros({2}).requires_grad_(true); };
  return {{"vision_model.embeddings.class_embedding", vector()},
          {"vision_model.embeddings.patch_embedding.weight", matrix()},
          {"vision_model.embeddings.position_embedding.weight", matrix()},
          {"vision_model.pre_layrnorm.weight", vector()},
          {"vision_model.encoder.layers.0.mlp.fc1.weight", matrix()},
          {"vision_model.encoder.layers.1.mlp.fc1.weight", matrix()},
          {"vision_model.encoder.layers.1.mlp.fc1.bias", vector()},
          {"vision_model.post_layernorm.weight", vector()},
          {"visual_projection.weight", matrix()},
          {"heads.geocell.weight", matrix()},
          {"heads.geocell.bias", vector()}};
}

struct Setting {
  double lr;
  bool decay;
};
std::map<std::string, Setting> Settings(const OptimConfig& config,
                                        std::vector<NamedTensor> parameters = Tower()) {
  std::map<std::string, Setting> result;
  for (const auto& group : BuildParameterGroups(parameters, 2, config)) {
    for (const auto& p : group.parameters) result[p.name] = {group.lr_scale, group.weight_decay};
  }
  return result;
}

TEST(ParameterGroups, DecayMatricesOnly) {
  const auto s = Settings({});
  ASSERT_EQ(s.size(), Tower().size());
  EXPECT_TRUE(s.at("vision_model.embeddings.patch_embedding.weight").decay);
  EXPECT_TRUE(s.at("heads.geocell.weight").decay);
  EXPECT_FALSE(s.at("vision_model.embeddings.position_embedding.weight").decay);
  EXPECT_FALSE(s.at("vision_model.embeddings.class_embedding").decay);
  EXPECT_FALSE(s.at("vision_model.pre_layrnorm.weight").decay);
  EXPECT_FALSE(s.at("heads.geocell.bias").decay);
  for (const auto& [name, setting] : s) EXPECT_EQ(setting.lr, 1.0) << name;
}

TEST(ParameterGroups, LayerDecayCountsFromTheProjectionDown) {
  OptimConfig config;
  config.layer_decay = 0.5;
  config.head_lr_scale = 10;
  const auto s = Settings(config);
  EXPECT_DOUBLE_EQ(s.at("visual_projection.weight").lr, 1.0);
  EXPECT_DOUBLE_EQ(s.at("vision_model.encoder.layers.1.mlp.fc1.weight").lr, 0.5);
  EXPECT_DOUBLE_EQ(s.at("vision_model.post_layernorm.weight").lr, 0.5);
  EXPECT_DOUBLE_EQ(s.at("vision_model.encoder.layers.0.mlp.fc1.weight").lr, 0.25);
  EXPECT_DOUBLE_EQ(s.at("vision_model.pre_layrnorm.weight").lr, 0.125);
  EXPECT_DOUBLE_EQ(s.at("heads.geocell.weight").lr, 10.0);
}

TEST(ParameterGroups, LeaveOutFrozenParametersAndNamedDecay) {
  auto parameters = Tower();
  parameters[4].tensor.set_requires_grad(false);
  OptimConfig config;
  config.no_decay = {"patch_embedding"};
  const auto s = Settings(config, parameters);
  EXPECT_EQ(s.count("vision_model.encoder.layers.0.mlp.fc1.weight"), 0u);
  EXPECT_FALSE(s.at("vision_model.embeddings.patch_embedding.weight").decay);
}

}  // namespace
}  // namespace graticule
