// `graticule embed`: outputs of a frozen tower for every record of a dataset.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb EmbedVerb();

}  // namespace graticule
