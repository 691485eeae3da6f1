// `graticule data baselines`: how well predictions without a model do on held-out parts, and what the cells
// allow.
#pragma once

#include "launch/verb.h"

namespace graticule {
Verb DataBaselinesVerb();
}  // namespace graticule
