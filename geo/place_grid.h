// Places that count as one: equal on a grid of 1e-5 degrees (1.1 m along a meridian).
//
// Longitudes a full turn apart are equal, and so are all longitudes at a pole. Two places a hair apart may
// fall on different grid points; the grid merges repeats, it is no search by distance. Pure functions; every
// place must be valid (IsValid).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

// The same number for places that count as one.
uint64_t PlaceGridKey(LatLon p);

// Old rows are those of the places given, new rows those of the distinct ones, in the order in which they
// first occur.
struct PlaceMerge {
  std::vector<int64_t> kept;    // [new rows] the old row that stands for it: the first of its equals
  std::vector<int64_t> row_of;  // [old rows] its new row
};
PlaceMerge MergePlaces(std::span<const LatLon> places);

}  // namespace graticule
