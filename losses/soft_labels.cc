#include "losses/soft_labels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace graticule {
namespace {

constexpr double kNegligible = 30;  // in units of tau: e^-30 is far below what fp32 keeps of a row
constexpr double kRadiansPerDegree = M_PI / 180;

// Chords instead of the haversine formula: three subtractions and products per cell, and the same accuracy
// for neighbours. d = 2 R asin(chord / 2).
double DistanceKm(double chord2) {
  return 2 * kSoftLabelRadiusKm * std::asin(std::min(1.0, std::sqrt(chord2) / 2));
}

double Chord2AtDistance(double distance_km) {
  const double half_angle = distance_km / (2 * kSoftLabelRadiusKm);
  if (half_angle >= M_PI / 2) return std::numeric_limits<double>::infinity();
  return 4 * std::sin(half_angle) * std::sin(half_angle);
}

bool Labelled(LatLon place, int64_t cell) {
  return cell >= 0 && std::isfinite(place.lat_deg) && std::isfinite(place.lon_deg);
}

}  // namespace

SoftLabels::SoftLabels(const std::vector<LatLon>& centres, const SoftLabelOptions& options)
    : options_(options) {
  GRATICULE_CHECK(options.reference == "code" || options.reference == "paper");
  for (const LatLon& centre : centres) {
    const double lat = centre.lat_deg * kRadiansPerDegree, lon = centre.lon_deg * kRadiansPerDegree;
    x_.push_back(std::cos(lat) * std::cos(lon));
    y_.push_back(std::cos(lat) * std::sin(lon));
    z_.push_back(std::sin(lat));
  }
}

double SoftLabels::CountLabelled(std::span<const LatLon> places, std::span<const int64_t> cells) {
  double count = 0;
  for (size_t b = 0; b < places.size(); ++b) count += Labelled(places[b], cells[b]);
  return count;
}

void SoftLabels::Fill(std::span<const LatLon> places, std::span<const int64_t> cells,
                      float* labels_BK) const {
  GRATICULE_CHECK(places.size() == cells.size());
  at::parallel_for(0, static_cast<int64_t>(places.size()), 4, [&](int64_t begin, int64_t end) {
    std::vector<double> chord2_K(x_.size());
    for (int64_t b = begin; b < end; ++b)
      FillRow(places[b], cells[b], chord2_K.data(), labels_BK + b * size());
  });
}

void SoftLabels::FillRow(LatLon place, int64_t cell, double* chord2_K, float* labels_K) const {
  const int64_t count = size();
  GRATICULE_CHECK(cell < count, "cell outside the table");
  std::fill_n(labels_K, count, 0.0f);
  if (!Labelled(place, cell)) return;
  if (options_.tau_km == 0) {
    labels_K[cell] = 1;
    return;
  }
  const double lat = place.lat_deg * kRadiansPerDegree, lon = place.lon_deg * kRadiansPerDegree;
  const double px = std::cos(lat) * std::cos(lon), py = std::cos(lat) * std::sin(lon), pz = std::sin(lat);
  for (int64_t k = 0; k < count; ++k) {
    const double dx = x_[k] - px, dy = y_[k] - py, dz = z_[k] - pz;
    chord2_K[k] = dx * dx + dy * dy + dz * dz;
  }
  const double reference = DistanceKm(
      options_.reference == "code" ? *std::min_element(chord2_K, chord2_K + count) : chord2_K[cell]);
  const double farthest = Chord2AtDistance(reference + kNegligible * options_.tau_km);
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) {
    if (chord2_K[k] > farthest) continue;
    const double y = std::exp((reference - DistanceKm(chord2_K[k])) / options_.tau_km);
    if (!std::isfinite(static_cast<float>(y))) continue;  // "paper" with an absurdly distant own cell
    sum += y;
    labels_K[k] = static_cast<float>(y);
  }
  if (!options_.normalise) return;
  for (int64_t k = 0; k < count; ++k) labels_K[k] = static_cast<float>(labels_K[k] / sum);
}

}  // namespace graticule
