// Where were these photos taken: decodes, crops as evaluation does, and asks the model.
//
// One thread. A photo that cannot be read is reported in its result and does not stop the others.
#pragma once

#include <string>
#include <vector>

#include "trainer/comm/world.h"
#include "trainer/recipe.h"
#include "trainer/serve/open_model.h"

namespace graticule {

struct PhotoPrediction {
  std::string photo;               // path as given, or as found in a folder
  std::string problem;             // empty: read and predicted
  std::vector<Prediction> places;  // the best first
};

// Folders are replaced by the .jpg and .jpeg files in and below them, sorted. Throws Error(kUsage) for a path
// that is not there.
std::vector<std::string> FindPhotos(const std::vector<std::string>& paths);

std::vector<PhotoPrediction> PredictPhotos(OpenedModel& model, const std::vector<std::string>& photos,
                                           int top, double near_km, const World& world, int64_t batch = 16);

}  // namespace graticule
