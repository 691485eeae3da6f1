// `graticule --version`: the commit and the versions of everything inside.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb VersionVerb();

}  // namespace graticule
