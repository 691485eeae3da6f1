// `graticule data import <source>`: from a download to a sealed dataset.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb DataImportVerb();

}  // namespace graticule
