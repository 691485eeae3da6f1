#include "data/synth/render.h"

#include <algorithm>
#include <cmath>

#include "data/synth/noise.h"
#include "data/synth/sprites.h"
#include "data/synth/surfaces.h"

namespace graticule {
namespace {

constexpr float kFar = 1e6f;

struct Ray {
  float x, y, z;  // direction; unit step in view depth
};

class Renderer {
 public:
  explicit Renderer(const Scene& s)
      : s_(s),
        n_(static_cast<size_t>(s.width) * static_cast<size_t>(s.height)),
        colour_(n_),
        depth_(n_, kFar) {
    cos_yaw_ = std::cos(s.camera.yaw), sin_yaw_ = std::sin(s.camera.yaw);
    cos_pitch_ = std::cos(s.camera.pitch), sin_pitch_ = std::sin(s.camera.pitch);
    cos_roll_ = std::cos(s.camera.roll), sin_roll_ = std::sin(s.camera.roll);
    focal_px_ = s.camera.focal * static_cast<float>(s.height);
  }

  Image Draw() {
    for (int row = 0; row < s_.height; ++row) {
      for (int column = 0; column < s_.width; ++column) CastPixel(row, column);
    }
    std::vector<const Sprite*> order;
    for (const Sprite& sprite : s_.sprites) order.push_back(&sprite);
    std::sort(order.begin(), order.end(), [](const Sprite* a, const Sprite* b) { return a->z > b->z; });
    for (const Sprite* sprite : order) Paint(*sprite);
    return Develop();
  }

 private:
  size_t At(int row, int column) const {
    return static_cast<size_t>(row) * static_cast<size_t>(s_.width) + static_cast<size_t>(column);
  }

  Ray RayAt(float row, float column) const {
    const float px = (column - 0.5f * static_cast<float>(s_.width)) / focal_px_;
    const float py = (0.5f * static_cast<float>(s_.height) - row) / focal_px_;
    const float a = px * cos_roll_ - py * sin_roll_, b = px * sin_roll_ + py * cos_roll_;
    const float y = b * cos_pitch_ + sin_pitch_, z = cos_pitch_ - b * sin_pitch_;
    return {a * cos_yaw_ + z * sin_yaw_, y, z * cos_yaw_ - a * sin_yaw_};
  }

  // Nearest plane along the ray; fences are tried before what stands behind them.
  Rgb Cast(const Ray& d, float* depth) const {
    const Camera& c = s_.camera;
    float best = kFar;
    Rgb colour;
    const auto footprint = [&](float t) { return t / focal_px_; };
    if (d.y < -1e-4f) {
      const float t = -c.height / d.y;
      if (t * d.z < s_.end_z) {
        best = t;
        colour = GroundColour(s_, c.x + d.x * t, d.z * t, footprint(t));
      }
    }
    if (std::abs(d.x) > 1e-4f) {
      const int plane = d.x > 0;
      for (const bool fence : {false, true}) {
        const float at = fence ? s_.fence_x : s_.wall_x;
        const float t = ((plane ? at : -at) - c.x) / d.x;
        const float z = d.z * t, y = c.height + d.y * t;
        if (t <= 0 || t > best || y < 0 || z > s_.end_z - 2 * s_.road_half - 2) continue;
        const auto hit = fence ? FenceColour(s_, plane, z, y) : WallColour(s_, plane, z, y, footprint(t));
        if (hit) best = t, colour = *hit * (plane ? 1.06f : 0.94f);
      }
    }
    if (d.z > 1e-4f && s_.end_z < kFar) {
      const float t = s_.end_z / d.z, y = c.height + d.y * t;
      if (t < best && y >= 0) {
        if (const auto hit = WallColour(s_, 2, c.x + d.x * t, y, footprint(t))) best = t, colour = *hit;
      }
    }
    *depth = best;
    if (best == kFar)
      return BackgroundColour(s_, std::atan2(d.x, d.z), std::atan2(d.y, std::hypot(d.x, d.z)));
    return Blend(colour, s_.sky_low, 1 - std::exp(-best * s_.haze));
  }

  void CastPixel(int row, int column) {
    const float j = HashUnit(column, row, s_.salt + 1) - 0.5f, k = HashUnit(row, column, s_.salt + 2) - 0.5f;
    const float r = static_cast<float>(row) + 0.5f, c = static_cast<float>(column) + 0.5f;
    float other = 0;
    const size_t at = At(row, column);
    const Rgb first = Cast(RayAt(r + 0.5f * j - 0.25f, c + 0.5f * k - 0.25f), &depth_[at]);
    colour_[at] = Blend(first, Cast(RayAt(r - 0.5f * j + 0.25f, c - 0.5f * k + 0.25f), &other), 0.5f);
  }

  // Screen position of a point; false behind the camera.
  bool Project(float x, float y, float z, float* row, float* column, float* depth) const {
    const Camera& cam = s_.camera;
    const float dx = x - cam.x, dy = y - cam.height;
    const float a = dx * cos_yaw_ - z * sin_yaw_, forward = dx * sin_yaw_ + z * cos_yaw_;
    const float b = dy * cos_pitch_ - forward * sin_pitch_;
    *depth = forward * cos_pitch_ + dy * sin_pitch_;
    if (*depth < 1) return false;
    const float px = (a * cos_roll_ + b * sin_roll_) / *depth, py = (b * cos_roll_ - a * sin_roll_) / *depth;
    *column = 0.5f * static_cast<float>(s_.width) + px * focal_px_;
    *row = 0.5f * static_cast<float>(s_.height) - py * focal_px_;
    return true;
  }

  void Paint(const Sprite& sprite) {
    float foot_row, foot_column, depth;
    if (!Project(sprite.x, sprite.base_y, sprite.z, &foot_row, &foot_column, &depth)) return;
    const float scale = focal_px_ / depth;
    const float half = 0.5f * sprite.width * scale, tall = sprite.height * scale;
    const int c0 = std::max(0, static_cast<int>(foot_column - half)),
              c1 = std::min(s_.width - 1, static_cast<int>(foot_column + half));
    const int r0 = std::max(0, static_cast<int>(foot_row - tall)),
              r1 = std::min(s_.height - 1, static_cast<int>(foot_row));
    const float fog = 1 - std::exp(-depth * s_.haze);
    for (int row = r0; row <= r1; ++row) {
      for (int column = c0; column <= c1; ++column) {
        const size_t at = At(row, column);
        if (depth > depth_[at]) continue;
        const float u = (static_cast<float>(column) + 0.5f - foot_column) / half;
        const float v = (foot_row - static_cast<float>(row) - 0.5f) / tall;
        if (const auto colour = SpriteColour(sprite, u, v)) colour_[at] = Blend(*colour, s_.sky_low, fog);
      }
    }
    if (sprite.kind == SpriteKind::kSign) PaintPost(sprite, foot_column, foot_row, scale, depth);
  }

  void PaintPost(const Sprite& sign, float column, float row, float scale, float depth) {
    const float half = std::max(0.5f, 0.05f * scale);
    const int bottom = std::min(s_.height - 1, static_cast<int>(row + sign.base_y * scale));
    for (int r = std::max(0, static_cast<int>(row)); r <= bottom; ++r) {
      for (int c = std::max(0, static_cast<int>(column - half));
           c <= std::min(s_.width - 1, static_cast<int>(column + half)); ++c) {
        if (depth <= depth_[At(r, c)]) colour_[At(r, c)] = {0.4f, 0.4f, 0.4f};
      }
    }
  }

  // Exposure, white balance, vignette and sensor noise.
  Image Develop() const {
    Image image;
    image.Reset(s_.width, s_.height);
    for (int row = 0; row < s_.height; ++row) {
      for (int column = 0; column < s_.width; ++column) {
        const float x = 2 * static_cast<float>(column) / static_cast<float>(s_.width) - 1;
        const float y = 2 * static_cast<float>(row) / static_cast<float>(s_.height) - 1;
        const float light = s_.exposure * (1 - 0.5f * s_.vignette * (x * x + y * y));
        const size_t at = At(row, column);
        const float grain =
            s_.noise * (HashUnit(column, row, s_.salt + 3) + HashUnit(column, row, s_.salt + 4) - 1);
        const auto store = [&](int channel, float value, float balance) {
          const float developed = (value * light * balance - 0.5f) * s_.contrast + 0.5f + grain;
          image.rgb[at * 3 + static_cast<size_t>(channel)] =
              static_cast<uint8_t>(std::clamp(developed, 0.0f, 1.0f) * 255 + 0.5f);
        };
        store(0, colour_[at].r, s_.white_balance.r);
        store(1, colour_[at].g, s_.white_balance.g);
        store(2, colour_[at].b, s_.white_balance.b);
      }
    }
    return image;
  }

  const Scene& s_;
  size_t n_;
  std::vector<Rgb> colour_;
  std::vector<float> depth_;
  float cos_yaw_, sin_yaw_, cos_pitch_, sin_pitch_, cos_roll_, sin_roll_, focal_px_;
};

}  // namespace

Image RenderScene(const Scene& scene) { return Renderer(scene).Draw(); }

}  // namespace graticule
