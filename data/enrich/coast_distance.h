// Great-circle distance in km from many places to the nearest coast, out of a file of lines (Natural Earth's
// coastline) or of land polygons. Errors: those of vector_file.h. NaN for places that are not known.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

std::vector<float> CoastDistancesKm(const std::string& path, std::span<const LatLon> places, int threads,
                                    const std::function<void(int64_t done)>& progress);

}  // namespace graticule
