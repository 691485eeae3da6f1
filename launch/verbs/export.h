// `graticule export`: writes a Hugging Face directory for serving.
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb ExportVerb();

}  // namespace graticule
