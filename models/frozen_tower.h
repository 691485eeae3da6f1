// A vision tower as a fixed function from images to vectors: which of its outputs, how wide, and a hash that
// says whose they are.
//
// The hash covers the parameters (names, shapes, fp32 values, in HF order) and what else decides the
// function: patch size, heads, activation, layer norm's epsilon. The same weights from another container hash
// the same. Failure: Error(kUsage) for an unknown output.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/vision_tower.h"

namespace graticule {

// "image_embeds" (projected), "pooler_output" (class token after the last layer norm), "mean_tokens" (mean of
// all tokens before it). None of them is normalised.
const std::vector<std::string>& TowerOutputs();
// The output that heads with this pooling take (ModelConfig::pooling).
std::string TowerOutputOf(const std::string& pooling);
int64_t TowerOutputWidth(const VisionConfig& config, const std::string& output);

// [B, D] fp32.
at::Tensor TowerOutput(VisionTower& tower, const at::Tensor& images_B3HW, const std::string& output);

std::string TowerSha256(const VisionTower& tower);

}  // namespace graticule
