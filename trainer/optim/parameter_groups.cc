#include "trainer/optim/parameter_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

namespace graticule {
namespace {

constexpr std::string_view kTower = "vision_model.";
constexpr std::string_view kBlock = "vision_model.encoder.layers.";

bool Decays(const NamedTensor& p, const OptimConfig& config) {
  if (p.tensor.dim() <= 1) return false;
  for (const std::string_view part : {"class_embedding", "position_embedding"}) {
    if (p.name.find(part) != std::string::npos) return false;
  }
  return std::none_of(config.no_decay.begin(), config.no_decay.end(), [&](const std::string& part) {
    return !part.empty() && p.name.find(part) != std::string::npos;
  });
}

}  // namespace

int64_t TowerLayer(const std::string& name, int64_t blocks) {
  if (name.starts_with("visual_projection")) return blocks + 1;
  if (!name.starts_with(kTower)) return -1;
  if (name.starts_with(kBlock)) return 1 + std::stoll(name.substr(kBlock.size()));
  return name.find("post_layernorm") != std::string::npos ? blocks : 0;
}

std::vector<ParameterGroup> BuildParameterGroups(const std::vector<NamedTensor>& parameters, int64_t blocks,
                                                 const OptimConfig& config) {
  std::map<std::pair<int64_t, bool>, ParameterGroup> groups;  // (layer, decays), ordered: stable across runs
  for (const NamedTensor& p : parameters) {
    if (!p.tensor.requires_grad()) continue;
    const int64_t layer = TowerLayer(p.name, blocks);
    const bool decays = Decays(p, config);
    // Without layer-wise decay the whole tower is one pair of groups: fewer, longer kernels.
    const int64_t key = layer < 0 ? -1 : config.layer_decay < 1 ? layer : 0;
    ParameterGroup& group = groups[{key, decays}];
    group.name =
        fmt::format("{}{}", key < 0 ? "heads" : fmt::format("tower.{}", key), decays ? "" : ".no_decay");
    group.weight_decay = decays;
    group.lr_scale =
        layer < 0 ? config.head_lr_scale
                  : std::pow(config.layer_decay,
                             static_cast<double>(blocks + 1 - (config.layer_decay < 1 ? layer : blocks + 1)));
    group.parameters.push_back(p);
  }
  std::vector<ParameterGroup> result;
  for (auto& [key, group] : groups) result.push_back(std::move(group));
  return result;
}

}  // namespace graticule
