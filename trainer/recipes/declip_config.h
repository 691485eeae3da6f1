// `recipe.simsiam` and `recipe.nearest`: what DeCLIP (arXiv 2110.05208) adds to a contrastive loss, carried
// over from texts to places. Torch-free. Off unless they have a weight.
#pragma once

#include <cstdint>

#include "base/config/section.h"

namespace graticule {

// Views of an image predict one another (losses/simsiam/simsiam_loss.h).
struct SimSiamConfig {
  double weight = 0;
  int64_t width = 512;   // of the projector's three layers
  int64_t hidden = 256;  // of the predictor
  void Bind(Section& s);
};

// An image is also compared with the place most alike to its own (nearest_term.h).
struct NearestConfig {
  double weight = 0;
  int64_t bank = 65536;            // former places to find it among
  double min_km = 1, max_km = 25;  // from the image's place
  int64_t after = 65536;           // samples of the run, before which the term is off
  void Bind(Section& s);
};

}  // namespace graticule
