// CLIP vision tower (ViT), Hugging Face names and semantics (docs/MODELS.md). Any size by config.
//
// Legend: B batch, T = (image_size / patch_size)^2 + 1 tokens, W width, P projection dim.
// Parameters are named with HF keys ("vision_model.encoder.layers.0.self_attn.q_proj.weight", ...). Not
// thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/model_config.h"

namespace graticule {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

struct VisionOutput {
  at::Tensor last_hidden_state_BTW;  // before post_layernorm
  at::Tensor pooler_output_BW;       // post_layernorm(token 0); undefined unless asked for
  at::Tensor image_embeds_BP;        // projected, not normalised; undefined unless asked for
};

class VisionTower {
 public:
  VisionTower(const VisionConfig& config, uint64_t seed);  // random init, keyed by parameter name

  // images_B3HW: normalised floats. needs_*: which outputs to compute.
  VisionOutput Forward(const at::Tensor& images_B3HW, bool needs_pooler, bool needs_embeds);

  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  const VisionConfig& config() const { return config_; }

 private:
  VisionConfig config_;
  std::vector<NamedTensor> parameters_;
};

}  // namespace graticule
