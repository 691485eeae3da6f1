// `graticule config check|resolve|explain`: look at a configuration without starting anything.
#pragma once

#include <vector>

#include "launch/verb.h"

namespace graticule {
std::vector<Verb> ConfigVerbs();
}  // namespace graticule
