// What a model must beat, and what its cells allow: predictions that need no training, measured like a
// model's.
//
//   common_cell   always the centre of the cell with most training images
//   random_place  the place of a training image drawn at random (keyed by seed and record)
//   colour_knn    the place of the training image with the nearest 8 x 8 colour layout
//   cell_ceiling  the centre of the true cell, or the nearest centre where no cell covers the place
//
// Records without a known place count nowhere; images that cannot be decoded count in no colour_knn.
// Deterministic in data and seed. Torch-free. Errors as Dataset reports them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "geo/cell_table.h"
#include "trainer/eval/metrics.h"

namespace graticule {

inline constexpr const char* kBaselineNames[] = {"common_cell", "random_place", "colour_knn", "cell_ceiling"};

struct BaselineOptions {
  uint64_t seed = 0;
  int threads = 1;
  bool colour = true;  // false: leave out colour_knn, which decodes every image
  std::function<void(int64_t done, int64_t total)>
      progress;  // images decoded; called from the caller's thread
};

using BaselineMetrics = std::map<std::string, DistanceMetrics>;  // by baseline name

struct BaselineReport {
  BaselineMetrics all;                           // all parts together
  std::map<std::string, BaselineMetrics> parts;  // by name of the part
  int64_t train_images = 0, unreadable = 0;
  double largest_cell_share = 0;  // of training images
};

// parts: evaluated sets by name ("near", "far").
BaselineReport EvaluateBaselines(const Dataset& train,
                                 const std::map<std::string, std::shared_ptr<const Dataset>>& parts,
                                 const CellTable& cells, const BaselineOptions& options);

}  // namespace graticule
