// `graticule data verify`: is every byte of a dataset what was imported?
#pragma once

#include "launch/verb.h"

namespace graticule {

Verb DataVerifyVerb();

}  // namespace graticule
