#include "trainer/eval/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"

namespace graticule {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Linear interpolation between order statistics, as numpy.percentile does by default.
double Quantile(std::vector<double>& values, double q) {
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const size_t low = static_cast<size_t>(at), high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

std::vector<double> Sorted(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// Metrics of a sample that holds sorted_km[i] times[i] times. Summation runs in ascending order of errors, so
// the result does not depend on the order of records.
DistanceMetrics OfMultiset(std::span<const double> sorted_km, std::span<const int64_t> times,
                           int64_t images) {
  DistanceMetrics m;
  m.images = images;
  if (images == 0) {
    m.within.fill(kNaN);
    m.median_km = m.mean_km = m.geoscore = kNaN;
    return m;
  }
  std::array<int64_t, 5> below{};
  int64_t seen = 0;
  double sum_km = 0, sum_score = 0, lower = 0, upper = 0;
  const int64_t lower_rank = (images - 1) / 2, upper_rank = images / 2;
  for (size_t i = 0; i < sorted_km.size(); ++i) {
    if (times[i] == 0) continue;
    const double km = sorted_km[i];
    for (size_t t = 0; t < kThresholdsKm.size(); ++t) below[t] += km < kThresholdsKm[t] ? times[i] : 0;
    if (seen <= lower_rank && lower_rank < seen + times[i]) lower = km;
    if (seen <= upper_rank && upper_rank < seen + times[i]) upper = km;
    seen += times[i];
    sum_km += km * static_cast<double>(times[i]);
    sum_score += GeoScore(km) * static_cast<double>(times[i]);
  }
  for (size_t t = 0; t < below.size(); ++t)
    m.within[t] = static_cast<double>(below[t]) / static_cast<double>(images);
  m.median_km = lower + 0.5 * (upper - lower);
  m.mean_km = sum_km / static_cast<double>(images);
  m.geoscore = sum_score / static_cast<double>(images);
  return m;
}

bool IsKnown(LatLon p) { return std::isfinite(p.lat_deg) && std::isfinite(p.lon_deg); }

}  // namespace

std::map<std::string, double> DistanceMetrics::Named() const {
  std::map<std::string, double> named{{"geoscore", geoscore}, {"mean_km", mean_km}, {"median_km", median_km}};
  for (size_t t = 0; t < within.size(); ++t) named[fmt::format("acc_{:.0f}", kThresholdsKm[t])] = within[t];
  return named;
}

DistanceMetrics Summarise(std::span<const double> error_km) {
  const std::vector<int64_t> once(error_km.size(), 1);
  return OfMultiset(Sorted(error_km), once, std::ssize(error_km));
}

std::map<std::string, Interval> BootstrapIntervals(std::span<const double> error_km,
                                                   const BootstrapOptions& options) {
  if (error_km.empty() || options.replicates <= 0) return {};
  const std::vector<double> sorted = Sorted(error_km);
  std::map<std::string, std::vector<double>> draws;
  std::vector<int64_t> times(sorted.size());
  for (int replicate = 0; replicate < options.replicates; ++replicate) {
    Rng rng(options.seed, {.index = static_cast<uint64_t>(replicate), .purpose = Purpose::kSample});
    std::fill(times.begin(), times.end(), 0);
    for (size_t i = 0; i < sorted.size(); ++i) ++times[rng.Below(sorted.size())];
    for (const auto& [name, value] : OfMultiset(sorted, times, std::ssize(sorted)).Named())
      draws[name].push_back(value);
  }
  std::map<std::string, Interval> intervals;
  for (auto& [name, values] : draws) intervals[name] = {Quantile(values, 0.025), Quantile(values, 0.975)};
  return intervals;
}

Evaluation Evaluate(std::span<const EvalRow> rows, const BootstrapOptions& options) {
  Evaluation evaluation;
  std::vector<double> all;
  std::map<std::string, std::vector<double>> by_country;
  for (const EvalRow& row : rows) {
    ++evaluation.records;
    if (!IsValid(row.prediction)) {
      throw Error(ErrorCode::kNumerics,
                  fmt::format("predicted ({}, {}); expected a place in degrees", row.prediction.lat_deg,
                              row.prediction.lon_deg),
                  fmt::format("record {} ({})", row.record, row.id),
                  "The model's outputs are not finite, or in other units.");
    }
    if (!IsKnown(row.truth)) {
      ++evaluation.without_place;
      continue;
    }
    const double km = HaversineKm(row.truth, row.prediction);
    all.push_back(km);
    if (row.country.empty()) {
      ++evaluation.without_country;
    } else {
      by_country[row.country].push_back(km);
    }
  }
  evaluation.all = Summarise(all);
  evaluation.intervals_95 = BootstrapIntervals(all, options);
  for (const auto& [country, errors] : by_country) evaluation.by_country[country] = Summarise(errors);
  return evaluation;
}

std::map<std::string, double> CeilingOf(const Gallery& gallery, std::span<const EvalRow> rows) {
  std::vector<LatLon> places;
  for (const EvalRow& row : rows) {
    if (IsValid(row.truth)) places.push_back(row.truth);
  }
  const Ceiling ceiling = GalleryCeiling(gallery, places, kThresholdsKm);
  std::map<std::string, double> named{{"median_km", ceiling.median_km}};
  for (size_t i = 0; i < kThresholdsKm.size(); ++i)
    named[fmt::format("acc_{:.0f}", kThresholdsKm[i])] = ceiling.within[i];
  return named;
}

}  // namespace graticule
