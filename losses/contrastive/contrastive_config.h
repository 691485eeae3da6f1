// The keys of `loss:` for objectives that compare each image with the places of the whole batch. Torch-free.
//
// objective = (1 - gps_to_image) * L(image -> place) + gps_to_image * L(place -> image), each the mean over
// its rows (docs/CONTRASTIVE.md).
#pragma once

#include <string>
#include <vector>

#include "base/config/section.h"

namespace graticule {

// Which candidates are no negatives of a row, being its own place under another name.
struct MaskConfig {
  double km = 0;                  // nearer than this; 0: none
  std::vector<std::string> same;  // of "place", "author", "sequence": with the same key as the row
  void Bind(Section& s);
};

struct TripletConfig {
  std::string distance = "cosine";  // or "l2"
  double margin = 0.2;
  std::string pick = "semi_hard";  // or "farthest", "far_near"
  void Bind(Section& s);
};

// What a variogram of the tower's embeddings does to pairs (pair_curve.h).
struct PairConfig {
  std::string use = "none";  // or "logit", "beta", "beta_near", "seed1" .. "seed5"
  std::string file;          // variogram.json
  // logit: how much less a near pair counts, and how much more a far one that looks alike.
  double kappa_false = 2, kappa_hard = 0;
  // Whether it asks how alike the images of a pair are.
  bool NeedsFeatures() const;
  void Bind(Section& s);
};

struct ContrastiveConfig {
  double gps_to_image = 0;
  double beta = 0.5;              // how much harder negatives count more (weighted_*, hcl)
  std::string beta_on = "logit";  // or "cosine": beta * 2 / scale, whatever the scale has become
  double tau_plus = 2e-4;         // chance that a random candidate is a false negative (dcl, hcl)
  bool detach = true;             // importance weights carry no gradient (hcl)
  MaskConfig mask;
  PairConfig pair;
  TripletConfig triplet;

  void Bind(Section& s);
};

// The values of loss.kind that this section is for.
const std::vector<std::string>& ContrastiveKinds();
bool IsContrastive(const std::string& kind);

}  // namespace graticule
