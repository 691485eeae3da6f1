// The best answers of a model that chooses among known places.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "trainer/recipe.h"

namespace graticule {

// logits_BN: a column for each place. Per row the k most probable ones (all of them where there are fewer),
// by softmax, most probable first; Prediction::cell is the column.
std::vector<std::vector<Prediction>> BestPlaces(const at::Tensor& logits_BN, std::span<const LatLon> places,
                                                int k);

}  // namespace graticule
