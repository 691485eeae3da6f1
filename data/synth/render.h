// Draws a scene by casting one jittered ray per pixel at its planes, then painting its sprites behind a depth
// buffer. A pure function of the scene; single-threaded, callers render different scenes in parallel.
#pragma once

#include "data/image/image.h"
#include "data/synth/scene.h"

namespace graticule {

Image RenderScene(const Scene& scene);

}  // namespace graticule
