// `graticule train`: resolves the configuration, opens the world, trains; also --print-config and --dry-run.
// Everything a configuration can get wrong is reported, all of it at once, before MPI or CUDA start.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb TrainVerb();

}  // namespace graticule
