// `graticule data attribution`: who made each image, and under which licence.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb DataAttributionVerb();

}  // namespace graticule
