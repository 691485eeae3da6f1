// `recipe:` with kind: geoclip. Which towers, what images are compared with, and where answers come from.
// Torch-free. Source of the defaults: GeoCLIP (arXiv 2309.16020) and its published code; docs/CONTRASTIVE.md
// says where they part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config/section.h"
#include "trainer/recipes/declip_config.h"

namespace graticule {

struct LocationConfig {
  std::vector<double> sigmas = {1, 16, 256};  // of the random Fourier features, a capsule each
  int64_t features = 256, width = 1024;
  std::string projection = "equal_earth";
  bool parity = false;
  std::vector<int64_t> frozen;  // capsules that are not trained
  void Bind(Section& s);
};

// Weight files of GeoCLIP, .pth or .safetensors; empty: random.
struct GeoclipWeightFiles {
  std::string image_mlp, location, logit_scale;
  void Bind(Section& s);
};

struct LogitScaleConfig {
  double start = 0;  // 0: what suits the loss
  double max = 100;  // clamped to [1, max] after each step; 0: not at all
  bool frozen = false;
  double bias = -10;  // siglip starts with
  // 10 for siglip (Zhai et al. 2023, section 3), else 1 / 0.07 (CLIP); at most `max`.
  double StartFor(const std::string& loss_kind) const;
  void Bind(Section& s);
};

struct BandConfig {
  std::vector<double> km = {1, 25};  // farther than the first, up to the second; a second of 0: without end
  int64_t count = 0;                 // per image
  void Bind(Section& s);
};

struct NegativesConfig {
  int64_t queue = 4096;  // places of former batches; 0: none
  double noise_m = 150, queue_noise_m = 1000;
  bool noise_in_degrees = false;
  std::vector<BandConfig> bands;  // drawn from the gallery for each image
  std::string mode = "shared";    // or "per_row"
  double own_km = 1;              // nearer places are never drawn
  std::string thesis = "none";    // or v1 .. v6: what the queue's slots hold instead, for studies
  int64_t near_after = 0;         // samples until the near bands have their full share
  void Bind(Section& s);
};

struct GalleryConfig {
  std::string file;       // empty: drawn from the training split
  int64_t size = 100000;  // at most
  void Bind(Section& s);
};

struct GeoclipConfig {
  int64_t views = 1;
  int64_t hidden = 0, outputs = 512;  // of the image MLP; hidden 0: as wide as its input
  GeoclipWeightFiles init;
  LocationConfig location;
  LogitScaleConfig logit_scale;
  NegativesConfig negatives;
  GalleryConfig gallery;
  double main_weight = 1;  // of loss.kind in the objective, beside these two
  SimSiamConfig simsiam;
  NearestConfig nearest;
  void Bind(Section& s);
};

}  // namespace graticule
