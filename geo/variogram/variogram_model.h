// Curves that a semivariogram is described by: how unlike two places are, by the distance between them.
//
// gamma(0) = 0, gamma(0+) = nugget, and gamma rises to nugget + partial sill:
//   spherical    nugget + sill (1.5 h/a - 0.5 (h/a)^3) for h < a, nugget + sill beyond
//   exponential  nugget + sill (1 - exp(-h/a))
//   gaussian     nugget + sill (1 - exp(-(h/a)^2))
//   stable       nugget + sill (1 - exp(-(h/l)^alpha)), 0 < alpha <= 2
// Lags in km along the great circle. On the sphere the Gaussian and the stable with alpha > 1 are no valid
// covariance models; here only the curve is used. Plain values, pure functions.
// Source: Chiles and Delfiner, Geostatistics (2012), chapter 2.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace graticule {

enum class VariogramShape { kSpherical, kExponential, kGaussian, kStable };
inline constexpr std::array kVariogramShapes = {VariogramShape::kSpherical, VariogramShape::kExponential,
                                                VariogramShape::kGaussian, VariogramShape::kStable};
std::string_view NameOf(VariogramShape shape);  // "spherical"
std::optional<VariogramShape> VariogramShapeNamed(std::string_view name);

struct VariogramModel {
  VariogramShape shape = VariogramShape::kExponential;
  double nugget = 0;    // c0 >= 0
  double sill = 1;      // c > 0, the partial sill
  double range_km = 1;  // a, or l of the stable model; > 0
  double alpha = 1;     // of the stable model alone

  double Gamma(double km) const;  // 0 at lag 0
  double Share(double km) const;  // g = (gamma - c0) / c in [0, 1]; 0 at lag 0
  double Slope(double km) const;  // d gamma / dh per km, at km > 0
  // The lag where 95 % of the partial sill are reached.
  double PracticalRangeKm() const;
};

// The thesis' range: the first multiple of 0.01 rad where the curve rises by less than 0.01 per radian; the
// half circumference where it never does.
double FlatRangeKm(const VariogramModel& model);

}  // namespace graticule
