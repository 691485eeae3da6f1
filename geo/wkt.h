// Polygons in the text form of OGC Simple Features ("POLYGON ((x y, ...), ...)" and MULTIPOLYGON), x =
// longitude.
//
// A shape is a list of rings in degrees, each open (the last point is joined to the first), wound as GeoJSON
// asks: outer rings counter-clockwise, each followed by its holes, clockwise. Edges are straight in (lon,
// lat). Pure functions. Text that is no polygon throws Error(kData) with the position.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

using Ring = std::vector<LatLon>;

std::vector<Ring> ParseWktShape(std::string_view text);  // a third and fourth number per point are left out
std::string WktOf(const std::vector<Ring>& shape);

// Twice the enclosed area in square degrees, positive when counter-clockwise.
double TwiceSignedArea(const Ring& ring);

// Centre of gravity of the area in (lon, lat); holes count negative.
LatLon PlanarCentroid(const std::vector<Ring>& shape);

}  // namespace graticule
