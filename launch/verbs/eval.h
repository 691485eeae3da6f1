// `graticule eval`: evaluates a model on a dataset, sharded over the ranks.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb EvalVerb();

}  // namespace graticule
