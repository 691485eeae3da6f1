// The country of many places, from a file of polygons: Natural Earth, geoBoundaries, GADM.
//
// A place belongs to the polygon that holds it (of several, the first in the file); a place on none, to the
// one whose outline is nearest, if within `reach_km`. The code of a polygon is the first of its fields that
// names a country: ISO_A2_EH, ISO_A3_EH, ADM0_A3, shapeGroup, GID_0, ISO_A2, ISO_A3. (Natural Earth writes
// -99 into ISO_A2 and ISO_A3 for France, Norway, Kosovo and others.) A polygon without a code holds its
// places all the same, and leaves them without a country. One thread. Errors: those of vector_file.h.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

struct CountrySamples {        // of N places
  std::vector<uint16_t> iso;   // numeric; 0: none
  std::vector<float> away_km;  // 0: inside
};

CountrySamples SampleCountries(const std::string& path, std::span<const LatLon> places, double reach_km,
                               const std::function<void(int64_t done)>& progress);

}  // namespace graticule
