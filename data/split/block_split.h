// Chooses validation places by blocks of the globe, so that held-out images are not neighbours of training
// images by accident, and then tells how far each really is from the nearest training image.
//
// Three choices, each by the keyed hash of a block (a function of seed and block, never of record order):
//   regions  whole large blocks, most of whose images end up far from any training image
//   spots    small blocks, whose images lie near training images
//   val      small blocks for validation while training; neighbours within gap_km, and images of the same
//   capture
//            sequence, are taken out of the training part ("none")
// Labels: train, val, near (held out, closer than far_km to a training image), far (held out, not closer),
// none. Pure function: the same records, options and seed give the same labels. Places must be finite.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/split/split_sidecar.h"
#include "geo/latlon.h"

namespace graticule {

struct BlockSplitOptions {
  uint64_t seed = 0;
  double hold_out = 0.10;  // share of records in near and far together
  double far_share = 0.5;  // of those, the share that should be far
  double region_deg = 8;   // side of a region, degrees of latitude
  double spot_deg = 0.5;   // side of a spot
  double far_km = 200;
  double val = 0;        // share of records in val
  double val_deg = 0.1;  // side of a val block
  double gap_km = 1;     // around val; 0 = none
};

enum SplitLabel : uint8_t { kTrain = 0, kVal = 1, kNear = 2, kFar = 3, kNone = 4 };

// sequences: hash of each record's capture sequence, 0 = unknown; empty when there is none.
// Records whose place is NaN become "none". Throws Error(kUsage) on options out of range, Error(kData) when
// no training record is left.
SplitLabels MakeBlockSplit(std::span<const LatLon> places, std::span<const uint64_t> sequences,
                           const BlockSplitOptions& options);

// Number of the block of about `side_deg` that holds p: latitude bands of that height, each cut into equal
// pieces about as wide as high. Exposed for tests.
uint64_t BlockOf(LatLon p, double side_deg);

}  // namespace graticule
