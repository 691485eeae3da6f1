#include "trainer/config/cells_config.h"

namespace graticule {

void CellsConfig::Bind(Section& s) {
  s.Field("file", &file,
          {.help = "geocell partition, written by `graticule cells build`; recipe geocells needs one",
           .on_resume = OnResume::kWarn});
}

}  // namespace graticule
