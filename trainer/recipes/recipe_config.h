// `recipe:` section: what is trained. Torch-free.
#pragma once

#include <string>

#include "base/config/section.h"
#include "trainer/recipes/geoclip_config.h"

namespace graticule {

struct RecipeConfig {
  std::string kind = "geocells";
  GeoclipConfig geoclip;  // its keys lie beside `kind`
  void Bind(Section& s);
};

}  // namespace graticule
