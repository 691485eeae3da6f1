// Where a model puts every record of a dataset: its image and its place in the common space of a recipe that
// encodes both (geoclip). Images are seen as evaluation sees them.
//
// The images are shared out over the ranks; rank 0 gets all rows and encodes the places. A record whose image
// cannot be read, or that has no place, has a row of zeros there. Without a graph. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "base/comm/communicator.h"
#include "data/dataset.h"
#include "trainer/eval/predict_dataset.h"
#include "trainer/recipe.h"

namespace graticule {

struct RecordFeatures {
  at::Tensor images_ND, places_ND;  // fp32 on options.device; undefined on ranks other than 0
};

// Collective.
RecordFeatures RecordFeaturesCollective(Recipe& recipe, std::shared_ptr<const Dataset> dataset,
                                        const PredictOptions& options, Communicator& control);

}  // namespace graticule
