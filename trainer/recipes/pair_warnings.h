// What there is to say about loss.pair.file when a run starts, and when it goes on with the curve that it
// keeps in state.json.
#pragma once

#include <string>
#include <vector>

#include "losses/contrastive/contrastive_config.h"

namespace graticule {

// recipe_state: of the checkpoint, "{}" for a start, which reads the file (Error(kData)). A run that goes on
// does not need it: a file that is gone says nothing.
std::vector<std::string> PairWarnings(const PairConfig& pair, const std::string& recipe_state);

}  // namespace graticule
