// A place on Earth and the distance between two. Degrees, WGS84, always (lat, lon) in this order.
// The Earth is a sphere here; its radius is an argument, because reports and soft labels use different ones.
// All geodesy is double precision with fused multiply-add off, so that a compiler's choices change no result.
// Plain values; every function is pure. Out-of-range input is the caller's to reject with IsValid.
#pragma once

#include <cmath>

namespace graticule {

struct LatLon {
  double lat_deg = 0;  // [-90, 90]
  double lon_deg = 0;  // [-180, 180)
  bool operator==(const LatLon&) const = default;
};

inline constexpr double kEvaluationRadiusKm = 6371.0;   // distances in reports
inline constexpr double kSoftLabelRadiusKm = 6378.137;  // haversine-smoothed labels (PIGEON, eq. 1)

// Great-circle distance in km; the haversine argument is clamped to [0, 1].
double HaversineKm(LatLon a, LatLon b, double radius_km = kEvaluationRadiusKm);

// Finite, |lat| <= 90, |lon| <= 360.
bool IsValid(LatLon p);

// Longitude wrapped into [-180, 180); latitude must already be in range.
LatLon Normalised(LatLon p);

// Score of GeoGuessr-like games: 5000 * exp(-d / 1492.7), unrounded.
double GeoScore(double error_km);

struct UnitVector {
  double x = 0, y = 0, z = 0;
};
UnitVector ToUnitVector(LatLon p);
LatLon ToLatLon(UnitVector v);  // v need not be normalised; the zero vector gives (0, 0)

}  // namespace graticule
