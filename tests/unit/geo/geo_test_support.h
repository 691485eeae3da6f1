// Places for tests: uniform on the sphere, clustered like photographs, and the awkward ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

inline std::vector<LatLon> RandomPlaces(int n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> unit(-1, 1);
  std::vector<LatLon> places;
  for (int i = 0; i < n; ++i)
    places.push_back({std::asin(unit(random)) * 180 / std::numbers::pi, 180 * unit(random)});
  return places;
}

// Two thirds in 40 dense towns (one on the antimeridian, one at the pole), the rest anywhere.
inline std::vector<LatLon> PhotoPlaces(int n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> unit(0, 1);
  std::vector<LatLon> towns = RandomPlaces(38, seed + 1);
  towns.push_back({-17, 179.99});
  towns.push_back({89.5, 20});
  std::vector<LatLon> places = RandomPlaces(n, seed + 2);
  for (int i = 0; i < n; ++i) {
    if (i % 3 == 2) continue;
    const double u = unit(random);
    const LatLon town =
        towns[static_cast<size_t>(40 * u * u)];  // a few towns are much larger than the others
    const double lat = std::fmin(90, std::fmax(-90, town.lat_deg + 0.3 * normal(random)));
    places[i] = Normalised({lat, town.lon_deg + 0.3 * normal(random)});
  }
  return places;
}

// Random places with the poles, the antimeridian, face edges and corners of the S2 cube among them.
inline std::vector<LatLon> TestPlaces(int n, uint64_t seed) {
  std::vector<LatLon> places = RandomPlaces(n, seed);
  const double corner = std::atan(std::sqrt(0.5)) * 180 / std::numbers::pi;
  for (LatLon p : std::vector<LatLon>{{90, 0},
                                      {-90, 0},
                                      {90, 135},
                                      {-90, -60},
                                      {0, 180},
                                      {0, -180},
                                      {45, 180},
                                      {-17, 180},
                                      {-17, -180},
                                      {12, 179.999999},
                                      {12, -179.999999},
                                      {0, 0},
                                      {0, 45},
                                      {0, -135},
                                      {45, 0},
                                      {-45, 90},
                                      {corner, 45},
                                      {-corner, -135},
                                      {5, 350}}) {
    places.push_back(p);
  }
  return places;
}

}  // namespace graticule
