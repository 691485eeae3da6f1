// Surface patterns of the demo world. Every pattern swings evenly around zero, so that painting with it
// changes the look of a wall but not its average colour: what tells a place must be shape, never a colour
// mean.
#pragma once

namespace graticule {

struct Rgb {
  float r = 0, g = 0, b = 0;
  Rgb operator+(Rgb o) const { return {r + o.r, g + o.g, b + o.b}; }
  Rgb operator*(float k) const { return {r * k, g * k, b * k}; }
};

inline Rgb Blend(Rgb a, Rgb b, float t) { return a * (1 - t) + b * t; }

// kind 0..7; u along the wall, v up, in pattern periods. Returns -1..1 with mean close to 0.
float FacadePattern(int kind, float u, float v);
// kind 0..5; x across the road, z along it, in slabs. Likewise.
float PavingPattern(int kind, float x, float z);
// The colour axis of hue pair 0..5; colours are base +- axis.
Rgb FacadeAxis(int hues);
// Relative height (0..1) of roof shape 0..5 at t = 0..1 across the house.
float RoofProfile(int shape, float t);
// Whether (u, v) in [-1, 1]^2 is glass of window shape 0..3.
bool InWindow(int shape, float u, float v);
// Whether fence kind 0..5 is opaque at u metres along, v = 0..1 of its height.
bool InFence(int kind, float u, float v);
// Lane paint at `across` metres from the road's middle and `along` metres; half_width of the road.
bool InRoadMarking(int kind, float across, float along, float half_width);
// Whether (u, v) in [-1, 1]^2 is inside sign shape 0..4.
bool InSign(int shape, float u, float v);
// Ground texture kind 0..5 at (x, z) metres: -1..1 with mean close to 0.
float GroundPattern(int kind, float x, float z, unsigned salt);

}  // namespace graticule
