// Which other images' places a model takes an image for.
//
// Anchors are images; the candidates of each are the places of all the others. What a trained model finds
// hardest tells two stories: far places with a large logit are hard negatives, near ones are likely false
// negatives, which a mask should keep out of the loss. Distances with R = 6371.0 km.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

struct HardNegative {
  int64_t record = -1;
  double km = 0;     // to the anchor's place
  double logit = 0;  // of the anchor's image and this record's place
};

struct HardAnchor {
  int64_t record = -1;
  double logit = 0;                     // of its own place
  std::vector<HardNegative> far, near;  // the largest logits first
};

struct HardNegativeOptions {
  int64_t anchors = 24;  // those whose hardest far place beats their own by most
  int64_t shown = 5;     // of each kind
  double near_km = 25;   // nearer: a likely false negative
};

// logits_NN: fp32 on the CPU; row i is of the image of records[i], column j of the place of records[j].
std::vector<HardAnchor> FindHardNegatives(const at::Tensor& logits_NN, std::span<const int64_t> records,
                                          std::span<const LatLon> places, const HardNegativeOptions& options);

}  // namespace graticule
