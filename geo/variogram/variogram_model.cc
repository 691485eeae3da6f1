#include "geo/variogram/variogram_model.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "geo/latlon.h"

namespace graticule {
namespace {

constexpr double kReached = 0.95;  // share of the partial sill that counts as all of it

// Exponent of h/a in the exponential family.
double Exponent(const VariogramModel& m) {
  switch (m.shape) {
    case VariogramShape::kGaussian:
      return 2;
    case VariogramShape::kStable:
      return m.alpha;
    default:
      return 1;
  }
}

}  // namespace

std::string_view NameOf(VariogramShape shape) {
  switch (shape) {
    case VariogramShape::kSpherical:
      return "spherical";
    case VariogramShape::kExponential:
      return "exponential";
    case VariogramShape::kGaussian:
      return "gaussian";
    case VariogramShape::kStable:
      break;
  }
  return "stable";
}

std::optional<VariogramShape> VariogramShapeNamed(std::string_view name) {
  for (const VariogramShape shape : kVariogramShapes) {
    if (name == NameOf(shape)) return shape;
  }
  return std::nullopt;
}

double VariogramModel::Share(double km) const {
  if (!(km > 0)) return 0;
  const double h = km / range_km;
  if (shape == VariogramShape::kSpherical) return h < 1 ? h * (1.5 - 0.5 * h * h) : 1;
  return -std::expm1(-std::pow(h, Exponent(*this)));
}

double VariogramModel::Gamma(double km) const { return km > 0 ? nugget + sill * Share(km) : 0; }

double VariogramModel::Slope(double km) const {
  const double h = km / range_km;
  if (shape == VariogramShape::kSpherical) return h < 1 ? sill * 1.5 * (1 - h * h) / range_km : 0;
  const double p = Exponent(*this), power = std::pow(h, p);
  return sill * std::exp(-power) * p * power / km;
}

double VariogramModel::PracticalRangeKm() const {
  if (shape == VariogramShape::kSpherical) {
    // 1.5 x - 0.5 x^3 = s has the root 2 sin(asin(s) / 3).
    return range_km * 2 * std::sin(std::asin(kReached) / 3);
  }
  return range_km * std::pow(-std::log(1 - kReached), 1 / Exponent(*this));
}

double FlatRangeKm(const VariogramModel& model) {
  constexpr double kStepRad = 0.01, kSlopePerRad = 0.01;
  for (int step = 1; step * kStepRad < std::numbers::pi; ++step) {
    const double km = step * kStepRad * kEvaluationRadiusKm;
    if (model.Slope(km) * kEvaluationRadiusKm < kSlopePerRad) return km;
  }
  return std::numbers::pi * kEvaluationRadiusKm;
}

}  // namespace graticule
