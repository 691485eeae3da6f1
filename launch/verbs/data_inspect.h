// `graticule data inspect`: what is in a dataset; one record as a table.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb DataInspectVerb();

}  // namespace graticule
