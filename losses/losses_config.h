// `loss:` section: the objective. Torch-free.
//
// kind geocells (recipe geocells): objective = sum over terms of weight * (sum of the term over the global
// batch) / (labels of that term). A weight of 0 removes the term and, with it, the head that only this term
// trains. The other kinds (recipe geoclip): losses/contrastive/contrastive_config.h.
#pragma once

#include <string>

#include "base/config/section.h"
#include "losses/contrastive/contrastive_config.h"

namespace graticule {

// Defaults: PIGEON's alpha, beta, gamma on climate, month, regression (docs/MODELS.md).
struct LossWeights {
  double geocell = 1, climate = 2, month = 1, regression = 8;
  void Bind(Section& s);
};

struct LossConfig {
  std::string kind = "geocells";
  std::string label =
      "code";          // distances counted from: "code" nearest centre, "paper" centre of the containing cell
  double tau_km = 65;  // scale of the smoothing; 0: hard labels
  bool normalise = false;           // divide each soft label by its sum
  double elevation_offset_m = 416;  // added before the logarithm of the elevation target
  LossWeights weights;
  ContrastiveConfig contrastive;  // its keys lie beside `kind`

  void Bind(Section& s);
};

}  // namespace graticule
