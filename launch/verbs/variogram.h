// `graticule variogram`: how unlike images, labels or numbers are, by the distance between their places.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb VariogramVerb();

}  // namespace graticule
