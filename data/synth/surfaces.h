// Colours of a scene's planes: ground, facades, fences, hills and sky. Pure functions of scene and position.
#pragma once

#include <optional>

#include "data/synth/scene.h"

namespace graticule {

// Ground at (x, z); footprint_m is the size of a pixel there, used to fade patterns before they alias.
Rgb GroundColour(const Scene& scene, float x, float z, float footprint_m);
// A wall plane: u metres along it, v metres above ground; `plane` tells left (0), right (1) and end (2)
// apart.
std::optional<Rgb> WallColour(const Scene& scene, int plane, float u, float v, float footprint_m);
std::optional<Rgb> FenceColour(const Scene& scene, int plane, float u, float v);
// Hills or sky in a direction: azimuth and elevation in radians.
Rgb BackgroundColour(const Scene& scene, float azimuth, float elevation);

}  // namespace graticule
