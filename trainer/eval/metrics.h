// How far predictions are from the truth: shares within radii, median, mean, GeoScore, per country, with
// intervals.
//
// Definitions (docs/RUNS.md): haversine with R = 6371.0 km; "within r" is strictly less than r; GeoScore is
// the mean of unrounded scores; the median of an even number is the mean of the middle two. A record without
// a known place is in no denominator and is counted. Pure functions of their arguments; intervals depend on
// the seed alone. Torch-free. Fails with Error(kNumerics) naming the record when a prediction is not a place.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "geo/gallery.h"
#include "geo/latlon.h"

namespace graticule {

// One evaluated image.
struct EvalRow {
  int64_t record = -1;  // of the dataset; rows are reported in this order
  std::string id;
  LatLon truth;  // NaN when unknown
  LatLon prediction;
  int64_t cell = -1;  // predicted class; -1: the recipe has none
  double probability = 0;
  double probability_25km = 0;  // of all places nearer than 25 km to the predicted one
  std::string country;          // of the truth, ISO alpha-2; empty when unknown
};

inline constexpr std::array<double, 5> kThresholdsKm = {1, 25, 200, 750, 2500};

struct DistanceMetrics {
  int64_t images = 0;              // the denominator
  std::array<double, 5> within{};  // fractions, in the order of kThresholdsKm
  double median_km = 0, mean_km = 0, geoscore = 0;
  // acc_1 acc_25 acc_200 acc_750 acc_2500 geoscore mean_km median_km
  std::map<std::string, double> Named() const;
};

struct Interval {
  double low = 0, high = 0;
};

struct BootstrapOptions {
  int replicates = 1000;  // resamples of images; 0: no intervals
  uint64_t seed = 0;
};

struct Evaluation {
  int64_t records = 0;          // rows given
  int64_t without_place = 0;    // left out: the truth is unknown
  int64_t without_country = 0;  // in `all`, in no row of by_country
  DistanceMetrics all;
  std::map<std::string, Interval> intervals_95;  // by the names of Named()
  std::map<std::string, DistanceMetrics> by_country;
};

// NaN for medians, means and shares of nothing.
DistanceMetrics Summarise(std::span<const double> error_km);
// Percentile bootstrap over images, 95 %.
std::map<std::string, Interval> BootstrapIntervals(std::span<const double> error_km,
                                                   const BootstrapOptions& options);
Evaluation Evaluate(std::span<const EvalRow> rows, const BootstrapOptions& options = {});

// What always picking the gallery's nearest place would give: shares and median, by the names of Named().
std::map<std::string, double> CeilingOf(const Gallery& gallery, std::span<const EvalRow> rows);

}  // namespace graticule
