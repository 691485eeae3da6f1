// `graticule data enrich`: columns from climate maps, rasters, borders and coasts, beside a dataset's shards.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb DataEnrichVerb();

}  // namespace graticule
