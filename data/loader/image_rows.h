// Rows of pixels: a record's JPEG read, decoded, cropped and resized, once per view (u8, V x H x W x 3).
//
// The draws of a crop are keyed by (seed, epoch, position, view). See data/loader/row_source.h for the rules.
#pragma once

#include <memory>
#include <vector>

#include "data/dataset.h"
#include "data/image/augment.h"
#include "data/loader/row_source.h"

namespace graticule {

struct ImageRowsOptions {
  uint64_t seed = 0;
  int64_t views = 1;
  AugmentOptions augment;
};

// Appends what becomes of each view at this place in the run, for an image of this size.
void PlanViews(const ImageRowsOptions& options, const Cropper& cropper, int width, int height,
               const SampleKey& key, std::vector<ResizePlan>& plans);

// Throws Error(kUsage) for sizes out of range and wrong names in `augment`.
std::unique_ptr<const RowSource> MakeImageRows(std::shared_ptr<const Dataset> dataset,
                                               const ImageRowsOptions& options);

}  // namespace graticule
