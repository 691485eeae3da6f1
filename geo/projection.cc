#include "geo/projection.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace graticule {
namespace {

constexpr double kRadians = std::numbers::pi / 180;

}  // namespace

PlanePoint EqualEarth(LatLon p) {
  constexpr double kA1 = 1.340264, kA2 = -0.081106, kA3 = 0.000893, kA4 = 0.003796;
  constexpr double kScale = 66.50336 / 180;  // GeoCLIP's: x reaches 1 at longitude 180
  const LatLon wrapped = Normalised(p);
  const double lambda = wrapped.lon_deg * kRadians;
  const double theta = std::asin(std::sqrt(3.0) / 2 * std::sin(wrapped.lat_deg * kRadians));
  const double t2 = theta * theta, t6 = t2 * t2 * t2;
  const double x = 2 * std::sqrt(3.0) * lambda * std::cos(theta) /
                   (3 * (9 * kA4 * t6 * t2 + 7 * kA3 * t6 + 3 * kA2 * t2 + kA1));
  const double y = theta * (kA1 + kA2 * t2 + t6 * (kA3 + kA4 * t2));
  return {x * kScale, y * kScale};
}

PlanePoint WebMercator(LatLon p) {
  const LatLon wrapped = Normalised(p);
  const double lat_deg = std::clamp(wrapped.lat_deg, -kMercatorMaxLatDeg, kMercatorMaxLatDeg);
  return {wrapped.lon_deg / 180, std::asinh(std::tan(lat_deg * kRadians)) / std::numbers::pi};
}

}  // namespace graticule
