// The best answers of a model that chooses among known places: cells, or the rows of a gallery.
//
// Each answer's probability is its share of the softmax, which says little by itself: the more places a
// gallery has in a town, the smaller the share of each. So every answer also bears the summed probability of
// all places strictly nearer to it than near_km (haversine, R = 6371.0 km), itself included. Rows of a
// gallery that repeat a place (geo/place_grid.h) are one answer, with their probabilities summed; the order
// of answers is that of single logits all the same, as in GeoCLIP's published protocol, so repeats change no
// answer. Owns copies; immutable, thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "geo/place_tree.h"
#include "trainer/recipe.h"

namespace graticule {

class PlaceChoice {
 public:
  static PlaceChoice OfCells(std::span<const LatLon> centres);
  static PlaceChoice OfGallery(std::span<const LatLon> rows);

  // [N] the rows (cells, or of the gallery) that are chosen among: a column of logits each.
  const std::vector<int64_t>& rows() const { return rows_; }

  // logits_BN: finite, on any device. Per image the k places with the largest logits (all of them where there
  // are fewer), the largest first; Prediction::cell is the row.
  std::vector<std::vector<Prediction>> Best(const at::Tensor& logits_BN, int k, double near_km) const;

 private:
  // Of all places those in `rows`, each standing for so many.
  PlaceChoice(std::span<const LatLon> all, std::vector<int64_t> rows, const at::Tensor& repeats_N);
  double ProbabilityNear(LatLon place, double km, const float* probability_N) const;

  std::vector<int64_t> rows_;
  std::vector<LatLon> places_;
  at::Tensor log_repeats_N_;  // fp32
  PlaceTree tree_;            // calls places by their column
};

}  // namespace graticule
