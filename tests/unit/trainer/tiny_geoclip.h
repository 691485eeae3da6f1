// A GeoCLIP of a few thousand parameters, for tests.
#pragma once

#include "trainer/recipes/geoclip.h"

namespace graticule {

inline GeoclipOptions TinyGeoclip(std::vector<LatLon> gallery) {
  GeoclipOptions o;
  o.model.vision = {.image_size = 16,
                    .patch_size = 8,
                    .width = 16,
                    .layers = 1,
                    .heads = 2,
                    .mlp_width = 32,
                    .projection = 8,
                    .activation = "quick_gelu"};
  o.model.pooling = "embeds";
  o.geoclip.outputs = 12;
  o.geoclip.location.sigmas = {1, 16};
  o.geoclip.location.features = 8;
  o.geoclip.location.width = 16;
  o.geoclip.negatives.queue = 0;
  o.loss.kind = "infonce";
  o.gallery = std::make_shared<const Gallery>(std::move(gallery), GallerySource{});
  o.seed = 5;
  return o;
}

}  // namespace graticule
