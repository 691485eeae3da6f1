// `graticule report accuracy`: a trained model beside the baselines, with its loss curve and error map.
#pragma once

#include "launch/verb.h"

namespace graticule {
Verb ReportAccuracyVerb();
}  // namespace graticule
