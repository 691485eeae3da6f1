// For each of many places the K nearest others: who stands beside whom when hard batches are made.
//
// Ascending by (great circle, row), rows being the places' own numbers: row 0 is a neighbour like any other,
// and places that are equal (also by a turn of longitude, and at a pole) are neighbours at distance 0.
// Distances are compared as chords of the unit sphere in double, so places whose distances from a third
// differ by less than a few nanometres count as equally far. A place that is not finite has no neighbours and
// is nobody's. Pure function of its arguments; the number of threads changes nothing. Memory: the result and
// about 120 bytes per place. Equal places are searched for once.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

inline constexpr uint32_t kNoNeighbour = std::numeric_limits<uint32_t>::max();

struct NeighbourSearch {
  int64_t neighbours = 128;  // K, at least 1
  double min_km = 0;         // nearer ones are left out, on a sphere of 6371.0 km; 0: none is
  int threads = 1;
};

// Returns [places, K] rows; what is missing at the end of a row is kNoNeighbour. Fewer than 2^32 - 1 places.
// A large min_km is dear: all places within it are passed on the way, for each place.
std::vector<uint32_t> NearestOthers(std::span<const LatLon> places, const NeighbourSearch& search);

}  // namespace graticule
