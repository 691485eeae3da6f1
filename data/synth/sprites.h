// Figures that face the camera: trees, poles, signs, cars. Colour at a point of the figure, or nothing where
// one sees past.
#pragma once

#include <optional>

#include "data/synth/scene.h"

namespace graticule {

// u in [-1, 1] across, v in [0, 1] upwards.
std::optional<Rgb> SpriteColour(const Sprite& sprite, float u, float v);

}  // namespace graticule
