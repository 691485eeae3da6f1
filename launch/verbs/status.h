// `graticule status RUN`: how a run stands or ended; with --decide, what a batch script should do next.
#pragma once

#include "launch/verb.h"

namespace graticule {
Verb StatusVerb();
}  // namespace graticule
