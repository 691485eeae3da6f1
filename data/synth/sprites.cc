#include "data/synth/sprites.h"

#include <algorithm>
#include <cmath>

#include "data/synth/noise.h"

namespace graticule {
namespace {

constexpr Rgb kTrunk{0.32f, 0.26f, 0.2f};

float Fraction(float x) { return x - std::floor(x); }
bool Disc(float u, float v, float cu, float cv, float ru, float rv) {
  const float x = (u - cu) / ru, y = (v - cv) / rv;
  return x * x + y * y < 1;
}

bool PalmLeaf(float u, float v) {
  const float dx = u, dy = (v - 0.78f) * 2.2f;
  const float r = std::sqrt(dx * dx + dy * dy), angle = std::atan2(dy, dx);
  return r < 1 && std::abs(std::sin(angle * 4 + 0.4f)) > 0.25f + 0.6f * r && dy > -0.9f;
}

// Crown of a species; trunk is drawn by the caller.
bool InCrown(int species, float u, float v) {
  switch (species) {
    case 0:
      return PalmLeaf(u, v);
    case 1:
      return Disc(u, v, 0, 0.66f, 0.95f, 0.34f);
    case 2:
      return v > 0.1f && std::abs(u) < (1 - v) * (0.65f + 0.5f * Fraction(v * 4.5f));
    case 3:
      return std::abs(u) < 0.22f || (std::abs(std::abs(u) - 0.7f) < 0.16f && v > 0.4f && v < 0.8f) ||
             (std::abs(u) < 0.7f && std::abs(v - 0.45f) < 0.06f);
    case 4:
      return v > 0.62f && Disc(u, v, 0, 0.62f, 1, 0.36f);
    case 5:
      return Disc(u, v, 0, 0.62f, 0.75f, 0.38f);
    case 6:
      return Disc(u, v, 0, 0.54f, 0.95f, 0.46f);
    default:
      return Disc(u, v, 0, 0.3f, 1, 0.6f);
  }
}

std::optional<Rgb> TreeColour(const Sprite& s, float u, float v) {
  const float trunk = s.variant == 5 ? 0.07f : 0.09f;
  const bool bare = s.facing;
  if (InCrown(s.variant, u, v)) {
    const float grain = ValueNoise(u * 7, v * 14, s.salt);
    if (bare) {
      const float twig = std::abs(Fraction((u + v) * 5) - 0.5f),
                  other = std::abs(Fraction((u - v) * 5) - 0.5f);
      if (std::min(twig, other) < 0.09f) return kTrunk;
    } else if (s.variant == 3 || grain > 0.22f) {
      const float ribs = s.variant == 3 ? 0.2f * std::sin(u * 40) : 0.0f;
      return s.colour * (0.65f + 0.7f * grain + ribs);
    }
  }
  if (s.variant != 3 && s.variant != 7 && std::abs(u) < trunk && v < 0.75f) {
    if (s.variant == 5) return Fraction(v * 11) < 0.3f ? Rgb{0.15f, 0.15f, 0.15f} : Rgb{0.85f, 0.85f, 0.82f};
    return kTrunk;
  }
  return std::nullopt;
}

std::optional<Rgb> PoleColour(const Sprite& s, float u, float v) {
  const auto bar = [&](float y, float half) { return std::abs(v - y) < 0.018f && std::abs(u) < half; };
  bool in = false;
  switch (s.variant) {
    case 0:
      in = std::abs(u) < 0.07f || bar(0.92f, 0.9f);
      break;  // T
    case 1:
      in = std::abs(u) < 0.07f || bar(0.95f, 0.6f) || bar(0.86f, 0.9f) || bar(0.77f, 0.6f);
      break;
    case 2:
      in = std::abs(std::abs(u) - 0.35f * (1 - v)) < 0.05f || Fraction(v * 8) < 0.1f
               ? std::abs(u) < 0.4f * (1.05f - v)
               : false;
      break;
    case 3:
      in = std::abs(u) < 0.13f && !(std::abs(u) < 0.06f && Fraction(v * 9) < 0.55f);
      break;  // pierced concrete
    case 4:
      in = std::abs(u) < 0.05f ||
           (v > 0.9f && std::abs(std::hypot(u - 0.45f, (v - 0.9f) * 5) - 0.45f) < 0.06f) ||
           Disc(u, v, 0.9f, 0.89f, 0.14f, 0.04f);
      break;  // curved lamp
    default:
      in = std::abs(u) < 0.06f || Disc(u, v, 0, 0.95f, 0.3f, 0.05f) ||
           std::abs(std::abs(u) - (0.9f - v) * 1.2f) < 0.03f;
      break;
  }
  if (!in) return std::nullopt;
  return s.colour;
}

std::optional<Rgb> SignColour(const Sprite& s, float u, float v) {
  const float y = v * 2 - 1;
  if (!InSign(s.variant, u, y)) return std::nullopt;
  if (!InSign(s.variant, u * 1.35f, y * 1.35f)) return s.colour * 0.45f;
  return std::abs(u) < 0.12f && std::abs(y) < 0.4f ? Rgb{0.1f, 0.1f, 0.1f} : Rgb{0.93f, 0.93f, 0.9f};
}

std::optional<Rgb> PlateColour(int kind, float u, float v) {
  const float half_w = kind < 2 ? 0.42f : 0.24f, half_h = kind < 2 ? 0.06f : 0.11f;
  const float y = v - 0.33f;
  if (std::abs(u) > half_w || std::abs(y) > half_h) return std::nullopt;
  const Rgb light{0.93f, 0.93f, 0.88f}, dark{0.08f, 0.08f, 0.1f};
  const bool glyph = std::abs(y) < half_h * 0.55f && Fraction(u * 12) < 0.55f && std::abs(u) < half_w * 0.85f;
  return glyph == (kind % 2 == 1) ? light : dark;
}

std::optional<Rgb> CarColour(const Sprite& s, float u, float v) {
  if (v < 0.12f)
    return std::abs(std::abs(u) - 0.7f) < 0.16f ? std::optional<Rgb>(Rgb{0.06f, 0.06f, 0.06f}) : std::nullopt;
  if (v > 0.55f) {
    const float half = 0.95f - 0.55f * (v - 0.55f) / 0.45f;
    if (std::abs(u) > half) return std::nullopt;
    return std::abs(u) < half - 0.1f && v < 0.92f ? Rgb{0.2f, 0.23f, 0.26f} : s.colour;
  }
  if (std::abs(u) > 0.97f) return std::nullopt;
  if (const auto plate = PlateColour(s.variant, u, v)) return plate;
  if (std::abs(std::abs(u) - 0.75f) < 0.17f && std::abs(v - 0.44f) < 0.07f) {
    return s.facing ? Rgb{1, 1, 0.9f} : Rgb{0.75f, 0.08f, 0.06f};
  }
  return s.colour;
}

}  // namespace

std::optional<Rgb> SpriteColour(const Sprite& s, float u, float v) {
  switch (s.kind) {
    case SpriteKind::kTree:
      return TreeColour(s, u, v);
    case SpriteKind::kPole:
      return PoleColour(s, u, v);
    case SpriteKind::kSign:
      return SignColour(s, u, v);
    case SpriteKind::kCar:
      return CarColour(s, u, v);
    case SpriteKind::kOccluder:
      return s.colour * (0.85f + 0.3f * ValueNoise(u * 2, v * 3, s.salt));
  }
  return std::nullopt;
}

}  // namespace graticule
