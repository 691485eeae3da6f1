// Places drawn from a dataset by the keyed permutation, each record at most once: galleries, first contents
// of a queue. Pure functions of places and seed; a smaller draw is the beginning of a larger one.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "geo/latlon.h"

namespace graticule {

// Of the records that have one, in dataset order.
std::vector<LatLon> PlacesOf(const Dataset& dataset);

// size: at most places.size(); 0: all.
std::vector<LatLon> DrawPlaces(const std::vector<LatLon>& places, int64_t size, uint64_t seed);

}  // namespace graticule
