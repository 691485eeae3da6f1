// `graticule predict`: says where photos were taken.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb PredictVerb();

}  // namespace graticule
