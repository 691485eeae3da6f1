// The experimental semivariogram of a large set of records: gamma by distance, over pairs that are drawn so
// that every bin has as many.
//
// Every estimate is a mean over the pairs of a bin, each pair counting the same:
//   - few records (all pairs are no more than was asked for): all pairs;
//   - a bin up to near_km with few pairs: all of its pairs, found by a k-d tree;
//   - other bins up to near_km: a random anchor, a random partner in the shell around it, weighted by the
//     number of records in that shell. Without the weight the mean would be over anchors, not pairs, and a
//     jump would show where the next method takes over;
//   - bins beyond: uniform pairs, kept where they fall into a bin that is not full.
// Two records at one place (lag 0) are in no bin. Pairs that share a key are left out: photographs of one
// drive look alike for another reason than their place.
//
// Draws are keyed by (seed, bin, block); pairs are added in a fixed order, so that any number of threads
// gives the same bits. Standard errors: pair_sums.h, over S2 cells of level 4 (about 600 km wide).
// Memory: 70 B a record beside the values, 32 B times bins x cells. Exceptions of `values` pass through.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "geo/latlon.h"
#include "geo/variogram/pair_values.h"
#include "geo/variogram/variogram_curve.h"

namespace graticule {

struct EstimateOptions {
  int64_t pairs = 200'000;  // per bin
  double near_km = 500;
  uint64_t seed = 0;
  int threads = 1;
  bool robust = false;                                        // Cressie-Hawkins, for numbers alone
  std::function<void(int64_t done, int64_t total)> progress;  // pairs; called by one thread
};

// Record i: a place, its value, and its key in each list of `keys` (0: like no other).
struct EstimateInput {
  std::span<const LatLon> places;
  const PairValues* values = nullptr;
  std::vector<std::span<const uint64_t>> keys;
};

struct VariogramEstimate {
  std::vector<VariogramBin> bins;               // those that hold pairs
  std::vector<std::vector<double>> replicates;  // [cell][bin], for JackknifeIntervals
  bool all_pairs = false;
};

VariogramEstimate EstimateVariogram(const EstimateInput& input, const EstimateOptions& options);

// The estimator of the thesis that Graticule's losses follow: all pairs, bins of 0.001 rad. Quadratic in the
// number of records; without standard errors.
VariogramEstimate EstimateDense(const EstimateInput& input, const EstimateOptions& options);

}  // namespace graticule
