// Verbs that live in another program of the house, as git's do.
#pragma once

#include <string>

#include "launch/verb.h"

namespace graticule {

// Replaces this process by `program`, which lies beside it, with the verb's name and arguments. Throws
// Error(kUsage) when it cannot be started.
Verb HandOver(const std::string& name, const std::string& summary, const std::string& program);

}  // namespace graticule
