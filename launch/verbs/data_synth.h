// `graticule data synth`: writes a demo world in the download layouts of OSV-5M and MP16-Pro.
#pragma once

#include "launch/verb.h"

namespace graticule {
Verb DataSynthVerb();
}  // namespace graticule
