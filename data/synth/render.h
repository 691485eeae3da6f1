// Draws a scene by casting one jittered ray per pixel at its planes, then painting its sprites behind a depth
// buffer. A pure function of the scene; single-threaded, callers render different scenes in parallel.
#pragma once

#include <cstdint>
#include <vector>

#include "data/synth/scene.h"

namespace graticule {

struct RgbImage {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;  // height * width * 3, no padding
};

RgbImage RenderScene(const Scene& scene);

}  // namespace graticule
