// Spatial hashes and value noise for the demo world: pure functions of their arguments, cheap enough to call
// for every pixel. Draws that choose what a scene holds come from base/rng.h; these only fill surfaces.
#pragma once

#include <cmath>
#include <cstdint>

namespace graticule {

// A well-mixed 64-bit hash (finaliser of MurmurHash3, public domain).
constexpr uint64_t MixBits(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

constexpr uint32_t HashLattice(int32_t x, int32_t y, uint32_t salt) {
  uint32_t h = salt + static_cast<uint32_t>(x) * 0x9E3779B1u + static_cast<uint32_t>(y) * 0x85EBCA77u;
  h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
  h = (h ^ (h >> 12)) * 0x297A2D39u;
  return h ^ (h >> 15);
}

// [0, 1)
constexpr float HashUnit(int32_t x, int32_t y, uint32_t salt) {
  return static_cast<float>(HashLattice(x, y, salt) >> 8) * 0x1p-24f;
}

inline int32_t FloorInt(float x) {
  const auto i = static_cast<int32_t>(x);
  return i - (static_cast<float>(i) > x);
}

inline float SmoothStep(float x) { return x * x * (3 - 2 * x); }

// Value noise in [0, 1) with lattice spacing 1.
inline float ValueNoise(float x, float y, uint32_t salt) {
  const int32_t ix = FloorInt(x), iy = FloorInt(y);
  const float fx = SmoothStep(x - static_cast<float>(ix)), fy = SmoothStep(y - static_cast<float>(iy));
  const float a = HashUnit(ix, iy, salt), b = HashUnit(ix + 1, iy, salt);
  const float c = HashUnit(ix, iy + 1, salt), d = HashUnit(ix + 1, iy + 1, salt);
  return (a + (b - a) * fx) * (1 - fy) + (c + (d - c) * fx) * fy;
}

// The same over the sphere's embedding space: continuous across the date line and the poles.
inline double SphereNoise(double x, double y, double z, uint32_t salt) {
  const double fz = std::floor(z);
  const auto iz = static_cast<uint32_t>(static_cast<int32_t>(fz));
  const auto t = static_cast<double>(SmoothStep(static_cast<float>(z - fz)));
  const auto fx = static_cast<float>(x), fy = static_cast<float>(y);
  return ValueNoise(fx, fy, salt + iz * 0x9E37u) * (1 - t) +
         ValueNoise(fx, fy, salt + (iz + 1) * 0x9E37u) * t;
}

}  // namespace graticule
