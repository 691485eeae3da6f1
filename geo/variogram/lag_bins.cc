#include "geo/variogram/lag_bins.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "geo/latlon.h"

namespace graticule {
namespace {

constexpr double kHalfRoundKm = std::numbers::pi * kEvaluationRadiusKm;

}  // namespace

double KmOfChord2(double chord2) {
  return 2 * kEvaluationRadiusKm * std::asin(std::min(1.0, 0.5 * std::sqrt(chord2)));
}

LagBins::LagBins(std::vector<double> edges_km) : edges_km_(std::move(edges_km)) {
  for (const double km : edges_km_) {
    const double chord = 2 * std::sin(km / (2 * kEvaluationRadiusKm));
    edges_chord2_.push_back(chord * chord);
  }
  edges_chord2_.back() = 5;  // nothing is farther than the antipode, whatever rounding says
}

LagBins LagBins::LogSpaced() {
  constexpr double kFirstKm = 0.1;
  constexpr int kPerDecade = 12;
  std::vector<double> edges = {0};
  for (int k = 0;; ++k) {
    const double km = kFirstKm * std::pow(10, static_cast<double>(k) / kPerDecade);
    if (km >= kHalfRoundKm) break;
    edges.push_back(km);
  }
  edges.push_back(kHalfRoundKm);
  return LagBins(std::move(edges));
}

LagBins LagBins::Linear(double step_rad) {
  std::vector<double> edges;
  for (int k = 0; k * step_rad < std::numbers::pi; ++k) edges.push_back(k * step_rad * kEvaluationRadiusKm);
  edges.push_back(kHalfRoundKm);
  return LagBins(std::move(edges));
}

int LagBins::BinOf(double chord2) const {
  const auto edge = std::lower_bound(edges_chord2_.begin(), edges_chord2_.end(), chord2);
  return static_cast<int>(edge - edges_chord2_.begin()) - 1;
}

}  // namespace graticule
