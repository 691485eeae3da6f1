// Where a model puts the records of a dataset: their images and their places in the common space of a recipe
// that encodes both (geoclip). Images are seen as evaluation sees them.
//
// Each rank encodes its share of the images, and all places. A record whose image cannot be read has no row
// among the images; one without a place has a row of zeros among the places. Without a graph. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "trainer/eval/predict_dataset.h"
#include "trainer/recipe.h"

namespace graticule {

struct RecordFeatures {
  std::vector<int64_t> records;     // [C] of this rank
  at::Tensor images_CD, places_ND;  // fp32 on options.device
};

RecordFeatures FeaturesOfShare(Recipe& recipe, std::shared_ptr<const Dataset> dataset,
                               const PredictOptions& options, int rank, int world_size);

}  // namespace graticule
