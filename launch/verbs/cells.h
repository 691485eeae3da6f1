// `graticule cells build | inspect | render | import | export`: geocell partitions from the places of a data
// set.
//
// No torch, no MPI. Results on stdout (--json: one object), Error on failure.
#pragma once

#include <vector>

#include "launch/verb.h"

namespace graticule {
std::vector<Verb> CellsVerbs();
}  // namespace graticule
