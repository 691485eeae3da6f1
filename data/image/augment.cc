#include "data/image/augment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>

#include "base/error.h"

namespace graticule {

namespace {

int RoundHalfEven(double x) { return static_cast<int>(std::nearbyint(x)); }

// The place of `value` among the names; any other is the user's mistake.
int IndexOf(const std::string& value, std::initializer_list<const char*> names, const char* key) {
  const auto found = std::find(names.begin(), names.end(), value);
  if (found != names.end()) return static_cast<int>(found - names.begin());
  throw Error(ErrorCode::kUsage, fmt::format("{} is '{}', expected {}", key, value, fmt::join(names, " or ")),
              "data.augment");
}

void Mirror(int width, int height, uint8_t* rgb) {
  struct Pixel {
    uint8_t r, g, b;
  };
  auto* row = reinterpret_cast<Pixel*>(rgb);
  for (int y = 0; y < height; ++y, row += width) std::reverse(row, row + width);
}

ResizePlan Square(Box source, int64_t image_size) {
  const int side = static_cast<int>(image_size);
  return {.source = source, .full_width = side, .full_height = side, .window = {0, 0, side, side}};
}

// The whole image with its shorter side at `side` and the longer one rounded down; the window is the
// caller's.
ResizePlan ShorterSideTo(int64_t side, int width, int height) {
  const int64_t shorter = std::min(width, height), longer = std::max(width, height);
  const int short_out = static_cast<int>(side), long_out = static_cast<int>(side * longer / shorter);
  return {.source = {0, 0, width, height},
          .full_width = width <= height ? short_out : long_out,
          .full_height = width <= height ? long_out : short_out,
          .window = {}};
}

}  // namespace

ResizePlan PlanRandomResizedCrop(int width, int height, const AugmentOptions& options, Rng& rng) {
  constexpr int kTries = 10;
  const double area = static_cast<double>(width) * height;
  const double log_low = std::log(options.ratio_min), log_high = std::log(options.ratio_max);
  for (int i = 0; i < kTries; ++i) {
    const double crop_area = area * rng.Uniform(options.scale_min, options.scale_max);
    const double aspect = std::exp(rng.Uniform(log_low, log_high));
    const int w = RoundHalfEven(std::sqrt(crop_area * aspect));
    const int h = RoundHalfEven(std::sqrt(crop_area / aspect));
    if (w <= 0 || h <= 0 || w > width || h > height) continue;
    const int y = static_cast<int>(rng.Uniform() * (height - h + 1));
    const int x = static_cast<int>(rng.Uniform() * (width - w + 1));
    return Square({x, y, w, h}, options.image_size);
  }
  const double ratio = static_cast<double>(width) / height;
  int w = width, h = height;
  if (ratio < options.ratio_min) {
    h = RoundHalfEven(w / options.ratio_min);
  } else if (ratio > options.ratio_max) {
    w = RoundHalfEven(h * options.ratio_max);
  }
  w = std::clamp(w, 1, width);
  h = std::clamp(h, 1, height);
  return Square({(width - w) / 2, (height - h) / 2, w, h}, options.image_size);
}

ResizePlan PlanCentreCrop(int width, int height, int64_t image_size) {
  const int side = static_cast<int>(image_size);
  ResizePlan plan = ShorterSideTo(image_size, width, height);
  plan.window = {(plan.full_width - side) / 2, (plan.full_height - side) / 2, side, side};
  return plan;
}

ResizePlan PlanTenCrop(int width, int height, int64_t image_size, int view) {
  GRATICULE_CHECK(view >= 0 && view < kTenCrops);
  const int side = static_cast<int>(image_size), crop = view % 5;
  ResizePlan plan = ShorterSideTo(image_size * 8 / 7, width, height);
  const int right = plan.full_width - side, bottom = plan.full_height - side;
  const int x = crop == 4 ? RoundHalfEven(right / 2.0) : crop % 2 == 1 ? right : 0;
  const int y = crop == 4 ? RoundHalfEven(bottom / 2.0) : crop >= 2 ? bottom : 0;
  plan.mirror = view >= 5;
  plan.window = {plan.mirror ? right - x : x, y, side, side};
  return plan;
}

Cropper::Cropper(const AugmentOptions& options, ResizeKernel kernel)
    : options_(options),
      kind_(static_cast<Kind>(
          IndexOf(options.kind, {"centre_crop", "random_resized_crop", "ten_crop"}, "kind"))),
      fast_(IndexOf(options.decode, {"exact", "fast"}, "decode") == 1),
      filter_(IndexOf(options.filter, {"bilinear", "bicubic"}, "filter") == 1 ? Filter::kBicubic
                                                                              : Filter::kBilinear),
      resizer_(kernel) {}

ResizePlan Cropper::Plan(int width, int height, Rng& rng, int view) const {
  if (kind_ == Kind::kRandom) return PlanRandomResizedCrop(width, height, options_, rng);
  if (kind_ == Kind::kTen) return PlanTenCrop(width, height, options_.image_size, view);
  return PlanCentreCrop(width, height, options_.image_size);
}

JpegPart Cropper::PartOf(std::span<const ResizePlan> plans) const {
  Box all = plans[0].source;
  int reduce = fast_ ? 8 : 1;
  for (const ResizePlan& plan : plans) {
    const Box& box = plan.source;
    const int right = std::max(all.x + all.width, box.x + box.width);
    const int bottom = std::max(all.y + all.height, box.y + box.height);
    all.x = std::min(all.x, box.x);
    all.y = std::min(all.y, box.y);
    all.width = right - all.x;
    all.height = bottom - all.y;
    // Never enlarge what was reduced.
    while (reduce > 1 && (box.width < reduce * plan.full_width || box.height < reduce * plan.full_height))
      reduce /= 2;
  }
  return {all, reduce};
}

void Cropper::Crop(const Image& image, const JpegInfo& shown, const ResizePlan& plan, uint8_t* out) {
  ResizePlan here = plan;
  Box& box = here.source;
  box.x -= shown.shown.x;
  box.y -= shown.shown.y;
  if (shown.reduce > 1) {  // the corners of a crop fall between reduced pixels
    const double r = shown.reduce;
    const int x = box.x / shown.reduce, y = box.y / shown.reduce;
    here.stretch = {box.x / r - x, box.y / r - y, box.width / r, box.height / r};
    const auto cover = [&](int corner, int length, int at, int limit) {
      return std::min(limit, (corner + length + shown.reduce - 1) / shown.reduce) - at;
    };
    box = {x, y, cover(box.x, box.width, x, image.width), cover(box.y, box.height, y, image.height)};
  }
  resizer_.Resize(image.view(), here, filter_, out);
  if (plan.mirror) Mirror(here.window.width, here.window.height, out);
}

void Cropper::Crop(const Image& image, Rng& rng, uint8_t* out) {
  resizer_.Resize(image.view(), Plan(image.width, image.height, rng), filter_, out);
}

}  // namespace graticule
