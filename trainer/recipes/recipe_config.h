// `recipe:` section: what is trained. Torch-free.
#pragma once

#include <string>

#include "base/config/section.h"

namespace graticule {

struct RecipeConfig {
  std::string kind = "geocells";
  void Bind(Section& s);
};

}  // namespace graticule
