#include "geo/gps_noise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace graticule {

LatLon WithNoise(LatLon place, const GpsNoise& noise, double north, double east) {
  if (noise.sigma_m == 0 || !std::isfinite(place.lat_deg) || !std::isfinite(place.lon_deg)) return place;
  constexpr double kMetresPerDegree = 111320;
  const double degrees = noise.sigma_m / kMetresPerDegree;
  const double narrow = std::max(std::cos(place.lat_deg * std::numbers::pi / 180), 0.01);
  double lat = place.lat_deg + degrees * north;
  double lon = place.lon_deg + (noise.in_degrees ? degrees : degrees / narrow) * east;
  if (std::abs(lat) > 90) {
    lat = std::copysign(180 - std::abs(lat), lat);
    lon += 180;
  }
  return Normalised({std::clamp(lat, -90.0, 90.0), lon});
}

}  // namespace graticule
