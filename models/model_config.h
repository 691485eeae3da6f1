// `model:` section: the vision tower's shape, where its weights come from, pooling and heads. Torch-free.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config/section.h"

namespace graticule {

struct VisionConfig {
  std::string preset = "";            // "", "clip-vit-b32", "clip-vit-b16", "clip-vit-l14", "clip-vit-l14-336": fills the shape
  int64_t image_size = 224, patch_size = 32, width = 768, layers = 12, heads = 12, mlp_width = 3072, projection = 512;
  std::string activation = "quick_gelu";  // or "gelu"
  double layer_norm_eps = 1e-5;
  void Bind(Section& s);
};

struct ModelConfig {
  VisionConfig vision;
  std::string init = "";              // HF directory or model.safetensors to start from; "": random
  std::string pooling = "mean";       // "mean" (all tokens, PIGEON), "cls" (pooler_output)
  int64_t frozen_layers = 0;          // the first n blocks and the embeddings get no gradient; -1: whole tower
  bool recompute = false;             // activation recomputation per block
  void Bind(Section& s);
};

}  // namespace graticule
