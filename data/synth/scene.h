// One street scene: what stands where, seen from which camera. Composed from the facts of a place and a
// stream of random numbers; drawing it needs nothing else. Metres; x to the right of the road's middle, y up,
// z along the road.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "data/synth/patterns.h"
#include "data/synth/planet.h"

namespace graticule {

enum class SpriteKind : uint8_t { kTree, kPole, kSign, kCar, kOccluder };

// A flat figure facing the camera, standing at (x, z).
struct Sprite {
  SpriteKind kind = SpriteKind::kTree;
  int variant = 0;  // tree species, pole kind, sign shape, plate kind
  float x = 0, z = 0, base_y = 0;
  float width = 1, height = 1;
  Rgb colour;
  uint32_t salt = 0;
  bool facing = false;  // cars: front visible
};

struct Camera {
  float x = 0, height = 1.7f, yaw = 0, pitch = 0, roll = 0;  // radians
  float focal = 1;                                           // in image heights
};

struct Scene {
  int width = 0, height = 0;  // pixels
  Camera camera;
  std::array<int, kStyleFields> style{};
  uint32_t salt = 0;  // for surfaces of this scene
  // Street.
  float road_half = 4, walk = 2, wall_x = 9, fence_x = 7, end_z = 1e9f;
  float lot_m = 12, built = 0.8f, period_m = 1.3f, slab_m = 1, storey_m = 3;
  int storeys = 2;
  bool fence = true;
  // Land and sky.
  float relief = 0, horizon_phase = 0, cloud_cover = 0;
  int ground = 0, clouds = 0;
  float sun_elevation = 0.5f, sun_azimuth = 0;
  Rgb sky_low, sky_high, hills, verge, asphalt, paint, wood, wall;
  std::vector<Sprite> sprites;
  // Camera and weather.
  Rgb white_balance{1, 1, 1};
  float exposure = 1, contrast = 1, haze = 0, noise = 0.02f, vignette = 0;
};

Scene ComposeScene(const PlaceFacts& facts, int month, int width, int height, Rng& rng);

}  // namespace graticule
