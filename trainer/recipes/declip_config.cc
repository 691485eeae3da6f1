#include "trainer/recipes/declip_config.h"

namespace graticule {

void SimSiamConfig::Bind(Section& s) {
  s.Field("weight", &weight,
          {.help = "of this term in the objective; 0: off. Needs recipe.views of at least 2",
           .min = 0,
           .max = 1000});
  s.Field("width", &width,
          {.help = "width of the projector's three layers and of the prediction", .min = 1, .max = 65536});
  s.Field("hidden", &hidden, {.help = "width of the predictor's hidden layer", .min = 1, .max = 65536});
}

void NearestConfig::Bind(Section& s) {
  s.Field("weight", &weight, {.help = "of this term in the objective; 0: off", .min = 0, .max = 1000});
  s.Field("bank", &bank,
          {.help = "embeddings of former places that neighbours are found among", .min = 1, .max = 1 << 24});
  s.Field("min_km", &min_km,
          {.help = "nearer entries are the place itself", .unit = "km", .min = 0, .max = 20000});
  s.Field("max_km", &max_km,
          {.help = "farther entries are other places; an image without an entry in between is passed over",
           .unit = "km",
           .min = 0,
           .max = 20100});
  s.Field("after", &after,
          {.help = "samples of the run before the term starts; the bank fills from the first one on",
           .unit = "samples",
           .min = 0});
  s.Check([this]() -> std::string {
    return max_km <= min_km ? "min_km must be below max_km: no place lies between them" : "";
  });
}

}  // namespace graticule
