#include "data/synth/patterns.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/synth/noise.h"

namespace graticule {
namespace {

float Fraction(float x) { return x - std::floor(x); }
float Square(float x) { return Fraction(x) < 0.5f ? 1.0f : -1.0f; }
float Wave(float x) { return std::sin(x * 2 * std::numbers::pi_v<float>); }

}  // namespace

float FacadePattern(int kind, float u, float v) {
  switch (kind) {
    case 0:
      return Square(v);  // boards
    case 1:
      return Square(u);  // panels
    case 2:
      return Square(u) * Square(v);  // chequers
    case 3:
      return Square(0.7f * (u + v));  // slanted, rising left
    case 4:
      return Square(0.7f * (u - v));  // slanted, rising right
    case 5: {                         // discs
      const float x = Fraction(u * 0.8f) - 0.5f, y = Fraction(v * 0.8f) - 0.5f;
      return x * x + y * y < 0.159f ? 1.0f : -1.0f;
    }
    case 6:
      return Square(v + 0.5f * std::abs(2 * Fraction(u * 0.6f) - 1) * 1.6f);  // chevrons
    default: {                                                                // timber lattice
      const float a = std::abs(Fraction(0.5f * (u + v)) - 0.5f),
                  b = std::abs(Fraction(0.5f * (u - v)) - 0.5f);
      return std::min(a, b) < 0.146f ? 1.0f : -1.0f;
    }
  }
}

float PavingPattern(int kind, float x, float z) {
  switch (kind) {
    case 0:
      return 0;  // asphalt
    case 1:
      return Square(x) * Square(z);  // setts
    case 2:
      return Square(0.8f * x);  // strips along
    case 3:
      return Square(0.6f * z);  // strips across
    case 4:
      return Square(0.5f * (x + z)) * Square(0.5f * (x - z));  // diamonds
    default:
      return Square(0.5f * z + std::abs(2 * Fraction(x * 0.4f) - 1));  // herringbone
  }
}

Rgb FacadeAxis(int hues) {
  switch (hues) {
    case 0:
      return {0.22f, -0.07f, -0.22f};  // orange and azure
    case 1:
      return {0.28f, -0.14f, 0.0f};  // red and cyan
    case 2:
      return {-0.21f, 0.15f, -0.21f};  // green and magenta
    case 3:
      return {0.0f, -0.06f, 0.30f};  // violet and lime
    case 4:
      return {0.26f, 0.12f, 0.0f};  // cream and slate
    default:
      return {0.19f, 0.19f, 0.19f};  // light and dark
  }
}

float RoofProfile(int shape, float t) {
  const float ridge = 1 - std::abs(2 * t - 1);
  switch (shape) {
    case 0:
      return 0.06f;
    case 1:
      return ridge;
    case 2:
      return std::floor(ridge * 4) / 4 + 0.12f;
    case 3:
      return std::sqrt(std::max(0.0f, 1 - (2 * t - 1) * (2 * t - 1)));
    case 4:
      return Fraction(t * 3) * 0.7f + 0.1f;
    default:
      return std::min(0.7f, ridge * 2);
  }
}

bool InWindow(int shape, float u, float v) {
  switch (shape) {
    case 0:
      return std::abs(u) < 0.85f && std::abs(v) < 0.45f;  // wide
    case 1:
      return std::abs(u) < 0.38f && std::abs(v) < 0.95f;  // tall
    case 2:
      return v < 0.2f ? std::abs(u) < 0.6f && v > -0.9f : u * u + (v - 0.2f) * (v - 0.2f) < 0.36f;  // arched
    default:
      return u * u + v * v < 0.42f;  // round
  }
}

bool InFence(int kind, float u, float v) {
  switch (kind) {
    case 0:
      return Fraction(u * 2.2f) < 0.5f && v < 1 - 0.3f * std::abs(4 * Fraction(u * 2.2f) - 1);
    case 1:
      return Fraction(v * 3) > 0.45f || Fraction(u * 0.4f) < 0.06f;
    case 2:
      return std::abs(Fraction(u * 0.5f) - v) < 0.09f || std::abs(1 - Fraction(u * 0.5f) - v) < 0.09f ||
             v > 0.9f || Fraction(u * 0.5f) < 0.05f;
    case 3:
      return std::abs(Fraction(u * 2 + v * 2) - 0.5f) < 0.12f ||
             std::abs(Fraction(u * 2 - v * 2) - 0.5f) < 0.12f;
    case 4:
      return true;
    default:
      return v < 0.65f + 0.35f * Wave(u * 0.45f);
  }
}

bool InRoadMarking(int kind, float across, float along, float half_width) {
  const float middle = std::abs(across), edge = std::abs(half_width - 0.35f - middle);
  constexpr float kWidth = 0.11f;
  switch (kind) {
    case 0:
      return middle < kWidth && Fraction(along / 5) < 0.5f;
    case 1:
      return middle < kWidth;
    case 2:
      return std::abs(middle - 0.24f) < kWidth;
    case 3:
      return (middle < kWidth && Fraction(along / 5) < 0.5f) || edge < kWidth;
    case 4:
      return edge < kWidth && Fraction(along / 3) < 0.5f;
    default:
      return std::abs(across - 0.35f * Wave(along / 4)) < kWidth;
  }
}

bool InSign(int shape, float u, float v) {
  switch (shape) {
    case 0:
      return v > -0.8f && std::abs(u) < 0.5f * (0.9f - v);
    case 1:
      return v < 0.8f && std::abs(u) < 0.5f * (0.9f + v);
    case 2:
      return std::abs(u) + std::abs(v) < 0.95f;
    case 3:
      return u * u + v * v < 0.72f;
    default:
      return std::abs(u) < 0.8f && std::abs(v) < 0.55f;
  }
}

float GroundPattern(int kind, float x, float z, unsigned salt) {
  switch (kind) {
    case 0:
      return 2 * ValueNoise(x * 5, z * 1.2f, salt) - 1;  // grass
    case 1:
      return Square(x / 1.6f);  // crop rows along the road
    case 2:
      return HashUnit(FloorInt(x / 3), FloorInt(z / 4), salt) > 0.5f ? 1.0f : -1.0f;  // small plots
    case 3:
      return Wave(z / 1.6f + 0.8f * ValueNoise(x * 0.3f, z * 0.3f, salt));  // sand ripples
    case 4:
      return ValueNoise(x * 0.9f, z * 0.9f, salt) > 0.66f ? 1.0f : -0.4f;  // scrub
    default:
      return ValueNoise(x * 0.5f, z * 0.5f, salt) > 0.5f ? 1.0f : -1.0f;  // snow in patches
  }
}

}  // namespace graticule
