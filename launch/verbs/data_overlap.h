// `graticule data overlap A B`: which records of B a model trained on A has, in one way or another, seen.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb DataOverlapVerb();

}  // namespace graticule
