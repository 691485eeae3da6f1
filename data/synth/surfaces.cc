#include "data/synth/surfaces.h"

#include <algorithm>
#include <cmath>

#include "data/synth/noise.h"

namespace graticule {
namespace {

constexpr float kFenceHeight = 1.25f;

// 1 where a pattern of this period is well resolved, 0 where it would alias.
float Fade(float footprint_m, float period_m) {
  return std::clamp(1.6f - 2.6f * footprint_m / period_m, 0.0f, 1.0f);
}

float Fraction(float x) { return x - std::floor(x); }

// What stands on one lot.
struct House {
  bool present = false;
  float begin = 0, end = 1;  // share of the lot
  int storeys = 1;
  float tone = 0;
};

House HouseOn(const Scene& s, int plane, int lot) {
  const uint32_t salt = s.salt + 77u * static_cast<uint32_t>(plane);
  House h;
  h.present = HashUnit(lot, 1, salt) < s.built;
  h.begin = 0.02f + 0.16f * HashUnit(lot, 2, salt);
  h.end = 0.98f - 0.16f * HashUnit(lot, 3, salt);
  h.storeys = std::max(1, s.storeys + static_cast<int>(3 * HashUnit(lot, 4, salt)) - 1);
  h.tone = 0.2f * (HashUnit(lot, 5, salt) - 0.5f);
  return h;
}

Rgb RoofColour(const Scene& s, float u, float v, float footprint_m) {
  const float tiles = std::sin(u * 9) * std::sin(v * 9 + 2 * std::sin(u * 4.5f));
  return s.wood * (0.85f + 0.2f * tiles * Fade(footprint_m, 0.35f));
}

}  // namespace

Rgb GroundColour(const Scene& s, float x, float z, float footprint_m) {
  const float across = std::abs(x);
  const bool crossing = z > s.end_z - 2 * s.road_half - 1;  // the street that ends this one
  if (across < s.road_half || crossing) {
    if (InRoadMarking(s.style[kRoadMarking], x, z, s.road_half) && !crossing) return s.paint;
    const float grain =
        0.08f * (ValueNoise(x * 3, z * 3, s.salt) - 0.5f) +
        0.11f * PavingPattern(s.style[kPaving], x / s.slab_m, z / s.slab_m) * Fade(footprint_m, s.slab_m);
    return s.asphalt + Rgb{grain, grain, grain};
  }
  if (across < s.road_half + s.walk) {
    const bool joint = Fraction(z / 1.2f) < 0.07f || across < s.road_half + 0.15f;
    return s.asphalt * (joint ? 0.9f : 1.25f);
  }
  const float p = GroundPattern(s.ground, x, z, s.salt) * Fade(footprint_m, 1.2f);
  const Rgb swing = s.ground == 5 ? Rgb{0.22f, 0.22f, 0.22f} : Rgb{0.12f, 0.12f, 0.09f};
  return s.verge + swing * p;
}

std::optional<Rgb> WallColour(const Scene& s, int plane, float u, float v, float footprint_m) {
  const int lot = FloorInt(u / s.lot_m);
  const House h = HouseOn(s, plane, lot);
  if (!h.present) return std::nullopt;
  const float t = (u / s.lot_m - static_cast<float>(lot) - h.begin) / (h.end - h.begin);
  if (t < 0 || t > 1) return std::nullopt;
  const float eaves = s.storey_m * static_cast<float>(h.storeys);
  if (v > eaves) {
    const float roof = 0.32f * s.lot_m * RoofProfile(s.style[kRoofShape], t);
    if (v > eaves + roof) return std::nullopt;
    return RoofColour(s, u, v, footprint_m);
  }
  const Rgb base = s.wall + Rgb{h.tone, h.tone, h.tone};
  const float width = s.lot_m * (h.end - h.begin);
  const float bays = std::max(1.0f, std::floor(width / 3.6f));
  const float bay = Fraction(t * bays) * 2 - 1, floor = Fraction(v / s.storey_m) * 2 - 1;
  if (InWindow(s.style[kWindowShape], bay * 2.3f, (floor - 0.1f) * 1.7f)) {
    return base * (0.35f + 0.4f * HashUnit(FloorInt(t * bays), FloorInt(v / s.storey_m),
                                           s.salt + static_cast<uint32_t>(lot)));
  }
  const float swing = FacadePattern(s.style[kFacadePattern], u / s.period_m, v / s.period_m);
  return base + FacadeAxis(s.style[kFacadeHues]) * (swing * Fade(footprint_m, s.period_m));
}

std::optional<Rgb> FenceColour(const Scene& s, int plane, float u, float v) {
  if (!s.fence || v < 0 || v > kFenceHeight) return std::nullopt;
  if (HashUnit(FloorInt(u / 9), 9, s.salt + static_cast<uint32_t>(plane)) < 0.2f)
    return std::nullopt;  // gates
  const int kind = s.style[kFenceKind];
  if (!InFence(kind, u, v / kFenceHeight)) return std::nullopt;
  if (kind == 4) {
    const int row = FloorInt(v / 0.32f);
    const int stone = FloorInt(u / 0.6f + 0.5f * static_cast<float>(row & 1));
    return s.wood * (0.7f + 0.6f * HashUnit(stone, row, s.salt));
  }
  if (kind == 5) return s.verge * (0.55f + 0.5f * ValueNoise(u * 5, v * 5, s.salt));
  return s.wood;
}

Rgb BackgroundColour(const Scene& s, float azimuth, float elevation) {
  const float a = azimuth * 3 + s.horizon_phase;
  const float ridge = 1 - std::abs(2 * ValueNoise(a * 1.6f, 0.5f, s.salt) - 1);
  const float skyline = 0.015f + 0.03f * ValueNoise(a * 2, 9, s.salt) +
                        s.relief * (0.10f + 0.30f * ridge + 0.05f * ValueNoise(a * 9, 3, s.salt));
  if (elevation < skyline) {
    const float strata = 0.10f * (ValueNoise(a * 8 + elevation * 60, elevation * 25, s.salt) - 0.5f);
    return s.hills + Rgb{strata, strata, strata};
  }
  const float height = std::clamp(elevation / 0.9f, 0.0f, 1.0f);
  Rgb sky = Blend(s.sky_low, s.sky_high, height);
  if (s.clouds != 0) {
    const float stretch = s.clouds == 2 ? 5.0f : 1.3f;
    const float x = azimuth * 4 + s.horizon_phase, y = elevation * 4 * stretch;
    float n = 0.65f * ValueNoise(x, y, s.salt + 5) + 0.35f * ValueNoise(x * 2.7f, y * 2.7f, s.salt + 6);
    if (s.clouds == 1) n = n > s.cloud_cover ? 0.9f : 0.25f;  // piled clouds have edges
    const float swing = 0.28f * (n - 0.5f);
    sky = sky + Rgb{swing, swing, swing};
  }
  const float da = azimuth - s.sun_azimuth, de = elevation - s.sun_elevation;
  if (da * da + de * de < 0.004f) sky = {1, 0.98f, 0.9f};
  return sky;
}

}  // namespace graticule
