#include "models/frozen_tower.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "models/heads.h"
#include "models/tensor_io.h"

namespace graticule {
namespace {

void CheckKnown(const std::string& output) {
  const std::vector<std::string>& known = TowerOutputs();
  if (std::find(known.begin(), known.end(), output) != known.end()) return;
  throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no output of the tower, expected one of {}",
                                             Printable(output), fmt::join(known, ", ")));
}

}  // namespace

const std::vector<std::string>& TowerOutputs() {
  static const std::vector<std::string> outputs = {"image_embeds", "pooler_output", "mean_tokens"};
  return outputs;
}

std::string TowerOutputOf(const std::string& pooling) {
  return pooling == "embeds" ? "image_embeds" : pooling == "cls" ? "pooler_output" : "mean_tokens";
}

int64_t TowerOutputWidth(const VisionConfig& config, const std::string& output) {
  CheckKnown(output);
  return output == "image_embeds" ? config.projection : config.width;
}

at::Tensor TowerOutput(VisionTower& tower, const at::Tensor& images_B3HW, const std::string& output) {
  CheckKnown(output);
  const bool embeds = output == "image_embeds", pooler = output == "pooler_output";
  const VisionOutput all = tower.Forward(images_B3HW, /*needs_pooler=*/pooler, /*needs_embeds=*/embeds);
  if (embeds) return all.image_embeds_BP;
  return Pool(all, pooler ? "cls" : "mean");
}

std::string TowerSha256(const VisionTower& tower) {
  const VisionConfig& c = tower.config();
  return TensorsSha256(fmt::format("patch {} heads {} activation {} epsilon {}\n", c.patch_size, c.heads,
                                   c.activation, c.layer_norm_eps),
                       tower.parameters());
}

}  // namespace graticule
