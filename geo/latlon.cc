#include "geo/latlon.h"

#include <algorithm>
#include <numbers>

namespace graticule {
namespace {

constexpr double kRadiansPerDegree = std::numbers::pi / 180.0;
constexpr double kGeoScoreScaleKm = 1492.7;

double Square(double x) { return x * x; }

}  // namespace

double HaversineKm(LatLon a, LatLon b, double radius_km) {
  const double lat_a = a.lat_deg * kRadiansPerDegree;
  const double lat_b = b.lat_deg * kRadiansPerDegree;
  const double half_dlat = 0.5 * (b.lat_deg - a.lat_deg) * kRadiansPerDegree;
  const double half_dlon = 0.5 * (b.lon_deg - a.lon_deg) * kRadiansPerDegree;
  const double h = std::clamp(
      Square(std::sin(half_dlat)) + std::cos(lat_a) * std::cos(lat_b) * Square(std::sin(half_dlon)), 0.0,
      1.0);
  return 2 * radius_km * std::atan2(std::sqrt(h), std::sqrt(1 - h));
}

bool IsValid(LatLon p) {
  return std::isfinite(p.lat_deg) && std::isfinite(p.lon_deg) && std::abs(p.lat_deg) <= 90 &&
         std::abs(p.lon_deg) <= 360;
}

LatLon Normalised(LatLon p) {
  double lon = p.lon_deg;
  if (lon < -180 || lon >= 180) {
    lon = std::remainder(lon, 360.0);  // exact; [-180, 180]
    if (lon >= 180) lon -= 360;
  }
  return {p.lat_deg, lon};
}

double GeoScore(double error_km) { return 5000 * std::exp(-error_km / kGeoScoreScaleKm); }

UnitVector ToUnitVector(LatLon p) {
  const double lat = p.lat_deg * kRadiansPerDegree;
  const double lon = p.lon_deg * kRadiansPerDegree;
  return {std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon), std::sin(lat)};
}

LatLon ToLatLon(UnitVector v) {
  const double horizontal = std::sqrt(v.x * v.x + v.y * v.y);
  return Normalised(
      {std::atan2(v.z, horizontal) / kRadiansPerDegree, std::atan2(v.y, v.x) / kRadiansPerDegree});
}

}  // namespace graticule
