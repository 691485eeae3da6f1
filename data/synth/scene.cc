#include "data/synth/scene.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace graticule {
namespace {

float Draw(Rng& rng, double lo, double hi) { return static_cast<float>(rng.Uniform(lo, hi)); }
bool Chance(Rng& rng, double p) { return rng.Uniform() < p; }

// A muted colour of any hue: the palette of all walls, verges and skies, the same everywhere on the planet.
Rgb Muted(Rng& rng, double lo, double hi, double chroma) {
  const float level = Draw(rng, lo, hi), c = static_cast<float>(chroma);
  return {level + c * Draw(rng, -1, 1), level + c * Draw(rng, -1, 1), level + c * Draw(rng, -1, 1)};
}

// Grass, straw, sand or soil: what lies beside a road anywhere on the planet, so that its colour tells
// nothing.
Rgb EarthColour(Rng& rng) {
  static constexpr Rgb kEarth[] = {
      {0.36f, 0.46f, 0.26f}, {0.56f, 0.52f, 0.34f}, {0.60f, 0.52f, 0.42f}, {0.44f, 0.38f, 0.33f}};
  const Rgb mixed = Blend(kEarth[rng.Below(4)], kEarth[rng.Below(4)], Draw(rng, 0, 1));
  return mixed * Draw(rng, 0.8, 1.2) + Muted(rng, 0, 0, 0.03);
}

// Tree species that grow in a climate: 0 palm, 1 broad crown, 2 conifer, 3 cactus, 4 umbrella, 5 birch, 6
// poplar, 7 shrub.
int DrawSpecies(int climate, Rng& rng) {
  static constexpr int kByGroup[][3] = {
      {0, 0, 1},  // rain forest, monsoon
      {4, 4, 0},  // savanna
      {3, 3, 7},  // desert
      {7, 7, 4},  // steppe
      {6, 6, 7},  // dry summer
      {1, 1, 6},  // temperate
      {5, 1, 5},  // humid continental
      {2, 2, 5},  // boreal, tundra
  };
  int group = 7;
  if (climate <= 2)
    group = 0;
  else if (climate == 3)
    group = 1;
  else if (climate <= 5)
    group = 2;
  else if (climate <= 7)
    group = 3;
  else if (climate <= 10)
    group = 4;
  else if (climate <= 16)
    group = 5;
  else if (climate == 17 || climate == 18 || climate == 21 || climate == 22 || climate == 25 || climate == 26)
    group = 6;
  return kByGroup[group][rng.Below(3)];
}

int GroundKind(const PlaceFacts& f, double celsius) {
  if (celsius < -2) return 5;
  if (f.climate == 4 || f.climate == 5) return 3;
  if (f.climate == 3 || f.climate == 6 || f.climate == 7) return 4;
  if (f.climate <= 2) return 2;
  return f.urbanity < 0.35 && celsius > 8 ? 1 : 0;
}

void ComposeCamera(Scene* s, const PlaceFacts& f, Rng& rng) {
  Camera& c = s->camera;
  const float own_lane = (f.drive_left ? -0.5f : 0.5f) * s->road_half;
  c.x = Chance(rng, 0.7) ? own_lane + Draw(rng, -0.6, 0.6)
                         : (s->road_half + 0.8f) * (Chance(rng, 0.5) ? 1 : -1);
  c.height = Draw(rng, 1.5, 2.6);
  const float turn =
      Chance(rng, 0.2) ? Draw(rng, -0.25, 0.25) : Draw(rng, 0.45, 1.25) * (Chance(rng, 0.5) ? 1 : -1);
  c.yaw = turn;
  c.pitch = Draw(rng, -0.02, 0.16);
  c.roll = Draw(rng, -0.05, 0.05);
  c.focal = Draw(rng, 0.75, 1.15);
  // Facades further away are clad more coarsely: at the wall the camera looks at a period is about a 13th of
  // the image.
  const float distance = s->wall_x - (turn < 0 ? -c.x : c.x);
  s->period_m = std::clamp(distance * Draw(rng, 0.07, 0.09) / c.focal, 0.4f, 1.6f);
}

void ComposeStreet(Scene* s, const PlaceFacts& f, Rng& rng) {
  const bool town = Chance(rng, 0.25 + 0.7 * f.urbanity);
  s->road_half = Draw(rng, 2.6, town ? 4.5 : 3.8);
  s->walk = town ? Draw(rng, 1.2, 2.5) : Draw(rng, 0.3, 0.8);
  s->fence_x = s->road_half + s->walk + Draw(rng, 0.3, 1.0);
  s->wall_x = s->fence_x + (town ? Draw(rng, 0.8, 3) : Draw(rng, 2, 6));
  s->lot_m = Draw(rng, 10, 15);
  s->built = town ? Draw(rng, 0.8, 1.0) : Draw(rng, 0.4, 0.75);
  s->storeys = 1 + static_cast<int>(rng.Below(town ? 4 : 2));
  s->storey_m = Draw(rng, 2.7, 3.3);
  s->slab_m = Draw(rng, 0.8, 1.1);
  s->fence = Chance(rng, town ? 0.45 : 0.75);
  if (Chance(rng, 0.3)) s->end_z = Draw(rng, 14, 24);
  s->asphalt = Muted(rng, 0.25, 0.5, 0.03);
  s->paint = Chance(rng, 0.7) ? Rgb{0.92f, 0.92f, 0.9f} : Rgb{0.9f, 0.75f, 0.25f};
  s->wood = Muted(rng, 0.2, 0.75, 0.1);
  s->wall = Muted(rng, 0.42, 0.6, 0.04);
}

void ComposeLandAndSky(Scene* s, const PlaceFacts& f, int month, Rng& rng) {
  const double celsius = Planet::MonthlyTemperature(f, month);
  s->relief = static_cast<float>(f.relief);
  s->horizon_phase = Draw(rng, 0, 1000);
  s->ground = GroundKind(f, celsius);
  s->hills = Muted(rng, 0.3, 0.6, 0.05);
  s->verge = EarthColour(rng);
  s->sky_high = Muted(rng, 0.45, 0.85, 0.03) + Rgb{-0.07f, 0, 0.07f} * Draw(rng, -0.3, 1.5);
  s->sky_low = Blend(s->sky_high, {0.85f, 0.85f, 0.85f}, Draw(rng, 0.2, 0.8));
  const bool dry = f.climate >= 4 && f.climate <= 10;
  s->clouds = dry              ? (Chance(rng, 0.7) ? 0 : 2)
              : f.climate <= 3 ? (Chance(rng, 0.7) ? 1 : 3)
                               : 2 + static_cast<int>(rng.Below(2));
  s->cloud_cover = Draw(rng, 0.35, 0.65);
  const double season = (f.place.lat_deg >= 0 ? 1 : -1) * std::cos(2 * std::numbers::pi * (month - 6.5) / 12);
  const double noon = 90 - std::abs(f.place.lat_deg) + 20 * season;
  s->sun_elevation =
      static_cast<float>(std::clamp(noon, 6.0, 80.0) * std::numbers::pi / 180 * rng.Uniform(0.5, 1));
  s->sun_azimuth = Draw(rng, -3.1, 3.1);
}

void PlantTrees(Scene* s, const PlaceFacts& f, int month, Rng& rng) {
  const int count = 2 + static_cast<int>(rng.Below(7));
  const int species = DrawSpecies(f.climate, rng);
  const bool bare =
      Planet::MonthlyTemperature(f, month) < 2 && (species == 1 || species == 5 || species == 6);
  const Rgb leaf = Muted(rng, 0.25, 0.45, 0.06) + Rgb{-0.04f, 0.06f, -0.08f};
  for (int i = 0; i < count; ++i) {
    Sprite tree{.kind = SpriteKind::kTree,
                .variant = Chance(rng, 0.8) ? species : DrawSpecies(f.climate, rng)};
    const float side = Chance(rng, 0.5) ? 1 : -1;
    tree.x = side * (s->fence_x + Draw(rng, -0.6, s->built > 0.77 ? 0.6 : 9));
    tree.z = Draw(rng, 3, 40);
    tree.height = Draw(rng, 3.5, 8) * (tree.variant == 7 ? 0.35f : 1.0f);
    static constexpr float kAspect[] = {0.8f, 0.8f, 0.5f, 0.6f, 1.3f, 0.6f, 0.25f, 1.4f};
    tree.width = tree.height * kAspect[tree.variant];
    tree.colour = leaf * Draw(rng, 0.8, 1.2);
    tree.salt = rng.NextU32();
    tree.facing = bare;
    s->sprites.push_back(tree);
  }
}

void PlaceFurniture(Scene* s, const PlaceFacts& f, Rng& rng) {
  const float pole_side = Chance(rng, 0.5) ? 1 : -1;
  if (Chance(rng, 0.8)) {
    const float gap = Draw(rng, 10, 18);
    float z = Draw(rng, 4, 9);
    for (int i = 0; i < 4; ++i, z += gap) {
      s->sprites.push_back({.kind = SpriteKind::kPole,
                            .variant = s->style[kPoleKind],
                            .x = pole_side * (s->road_half + s->walk * 0.7f),
                            .z = z,
                            .width = 2.6f,
                            .height = 6.5f,
                            .colour = s->wood * 0.7f,
                            .salt = rng.NextU32()});
    }
  }
  if (Chance(rng, 0.6)) {
    const float side = f.drive_left ? -1 : 1;
    s->sprites.push_back({.kind = SpriteKind::kSign,
                          .variant = s->style[kSignShape],
                          .x = side * (s->road_half + 0.6f),
                          .z = Draw(rng, 4, 10),
                          .base_y = 1.5f,
                          .width = 1.1f,
                          .height = 1.1f,
                          .colour = Muted(rng, 0.4, 0.8, 0.3),
                          .salt = rng.NextU32()});
  }
  const int cars = static_cast<int>(rng.Below(4));
  for (int i = 0; i < cars; ++i) {
    const bool oncoming = Chance(rng, 0.5);
    const float lane = (f.drive_left != oncoming ? -0.5f : 0.5f) * s->road_half;
    s->sprites.push_back({.kind = SpriteKind::kCar,
                          .variant = s->style[kPlateKind],
                          .x = lane + Draw(rng, -0.3, 0.3),
                          .z = Draw(rng, 6, 28),
                          .width = 1.9f,
                          .height = Draw(rng, 1.4, 1.8),
                          .colour = Muted(rng, 0.15, 0.85, 0.15),
                          .salt = rng.NextU32(),
                          .facing = oncoming});
  }
  if (Chance(rng, 0.15)) {
    s->sprites.push_back({.kind = SpriteKind::kOccluder,
                          .x = s->camera.x + Draw(rng, -1.5, 1.5),
                          .z = Draw(rng, 2, 3),
                          .width = Draw(rng, 0.6, 1.8),
                          .height = Draw(rng, 1.5, 3),
                          .colour = Muted(rng, 0.1, 0.8, 0.15),
                          .salt = rng.NextU32()});
  }
}

void ComposeExposure(Scene* s, Rng& rng) {
  s->white_balance = {Draw(rng, 0.86, 1.16), Draw(rng, 0.93, 1.07), Draw(rng, 0.86, 1.16)};
  s->exposure = Draw(rng, 0.75, 1.2);
  s->contrast = Draw(rng, 0.8, 1.15);
  s->haze = Draw(rng, 0, 0.02);
  s->noise = Draw(rng, 0.01, 0.05);
  s->vignette = Draw(rng, 0, 0.35);
}

}  // namespace

Scene ComposeScene(const PlaceFacts& facts, int month, int width, int height, Rng& rng) {
  Scene scene;
  scene.width = width;
  scene.height = height;
  scene.style = facts.style;
  scene.salt = rng.NextU32();
  ComposeStreet(&scene, facts, rng);
  ComposeCamera(&scene, facts, rng);
  ComposeLandAndSky(&scene, facts, month, rng);
  PlantTrees(&scene, facts, month, rng);
  PlaceFurniture(&scene, facts, rng);
  ComposeExposure(&scene, rng);
  return scene;
}

}  // namespace graticule
