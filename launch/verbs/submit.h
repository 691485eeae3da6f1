// `graticule submit`: a SLURM job that trains under mpirun, survives its time limit and requeues itself.
#pragma once

#include "launch/verb.h"

namespace graticule {
Verb SubmitVerb();
}  // namespace graticule
