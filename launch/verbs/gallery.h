// `graticule gallery build | import | export | inspect`: the places that a retrieval model answers from.
//
// No torch, no MPI. Results on stdout (--json: one object), warnings on stderr, Error on failure.
#pragma once

#include <vector>

#include "launch/verb.h"

namespace graticule {
std::vector<Verb> GalleryVerbs();
}  // namespace graticule
