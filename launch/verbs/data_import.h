// `graticule data import osv5m | mp16pro | folder`: from a download to a sealed dataset.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb DataImportVerb();

}  // namespace graticule
