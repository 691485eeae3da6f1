// `graticule data split`: hold out places for validation and test, by blocks of the globe.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb DataSplitVerb();

}  // namespace graticule
