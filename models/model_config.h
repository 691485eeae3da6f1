// `model:` section: the vision tower's shape, where its weights come from, pooling and freezing. Torch-free.
//
// A shape field left at 0 (or "") is unset. Completing fills it: from the files at `init` where that is
// given, else from the preset. ModelConfig's own check completes it, so after ResolveConfig every field holds
// its real value; code that builds a VisionConfig by hand calls Completed(). Values set by hand must agree
// with `init`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config/section.h"

namespace graticule {

struct VisionConfig {
  std::string preset = "clip-vit-b32";  // one of VisionPresets()
  int64_t image_size = 0, patch_size = 0, width = 0, layers = 0, heads = 0, mlp_width = 0, projection = 0;
  std::string activation = "";  // "quick_gelu" or "gelu" (erf)
  double layer_norm_eps = 1e-5;

  void Bind(Section& s);
  // Unset fields taken from the preset; where the width differs from the preset's, heads default to width /
  // 64 and mlp_width to 4 * width. Throws Error(kUsage) for shapes that cannot be built.
  VisionConfig Completed() const;
  bool IsComplete() const;

  int64_t Tokens() const { return (image_size / patch_size) * (image_size / patch_size) + 1; }
  int64_t HeadWidth() const { return width / heads; }
  // Trainable values of the tower with its projection (for memory estimates before any tensor exists).
  int64_t ParameterCount() const;
};

// "clip-vit-b32", "clip-vit-b16", "clip-vit-l14", "clip-vit-l14-336".
const std::vector<std::string>& VisionPresets();
VisionConfig VisionPreset(const std::string& name);

struct ModelConfig {
  VisionConfig vision;
  std::string init = "";  // HF or OpenCLIP directory, or a .safetensors file in one; "": random weights
  std::string pooling = "mean";  // "mean": all tokens of last_hidden_state (PIGEON); "cls": pooler_output; "embeds": image_embeds
  int64_t frozen_layers = 0;     // embeddings and the first n blocks get no gradient; -1: the whole tower
  bool recompute = false;        // activations of a block are recomputed in backward instead of kept

  void Bind(Section& s);
  // Completes `vision` (reads the JSON beside the weights when `init` is set). Throws Error(kUsage or kData).
  void Complete();
};

}  // namespace graticule
