// `cells:` section: the geocell partition whose rows are the classes of the geocell head. Torch-free.
#pragma once

#include <string>

#include "base/config/section.h"

namespace graticule {

struct CellsConfig {
  std::string file;  // cells.safetensors, from `graticule cells build`
  void Bind(Section& s);
};

}  // namespace graticule
