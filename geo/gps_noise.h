// Gaussian noise on coordinates, in metres.
//
// The longitude's share grows with 1 / cos(latitude), so that the noise is as wide east and west as north and
// south; beyond a pole the place comes down on the other side. Pure. Source: GeoCLIP (arXiv 2309.16020)
// section 3.3 names the noise, a metre being 1 / 111,320 of a degree.
#pragma once

#include "geo/latlon.h"

namespace graticule {

struct GpsNoise {
  double sigma_m = 0;
  bool in_degrees = false;  // the same number of degrees on both axes, as the first code of the method has it
};

// north, east: standard normal draws. A place without finite coordinates comes back as it is.
LatLon WithNoise(LatLon place, const GpsNoise& noise, double north, double east);

}  // namespace graticule
