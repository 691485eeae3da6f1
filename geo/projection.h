// Map projections that location encoders see: the globe as a plane of about [-1, 1] x [-1, 1], x from the
// longitude, y from the latitude.
//
// Longitudes are wrapped into [-180, 180) first, so that a place has one image however it is written. Double
// precision, pure functions. Sources: Equal Earth, Savric et al. 2018 (doi 10.1080/13658816.2018.1504949),
// scaled as GeoCLIP scales it; Web Mercator, EPSG:3857, over half the equator's length.
#pragma once

#include "geo/latlon.h"

namespace graticule {

struct PlanePoint {
  double x = 0, y = 0;
};

// x in [-1, 1], y in [-0.4867169, 0.4867169]. Equal areas.
PlanePoint EqualEarth(LatLon p);

// x in [-1, 1); y in [-1, 1] up to 85.0511 degrees, 2.25 at kMercatorMaxLatDeg. Latitudes beyond that are
// taken there: the poles lie at infinity.
inline constexpr double kMercatorMaxLatDeg = 89.9;
PlanePoint WebMercator(LatLon p);

}  // namespace graticule
