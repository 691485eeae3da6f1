#include "data/image/augment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace graticule {

namespace {

int RoundHalfEven(double x) { return static_cast<int>(std::nearbyint(x)); }

// 0 or 1; anything else is the user's mistake.
int IndexOf(const std::string& value, const char* first, const char* second, const char* key) {
  if (value == first) return 0;
  if (value == second) return 1;
  throw Error(ErrorCode::kUsage, fmt::format("{} is '{}', expected {} or {}", key, value, first, second),
              "data.augment");
}

ResizePlan Square(Box source, int64_t image_size) {
  const int side = static_cast<int>(image_size);
  return {.source = source, .full_width = side, .full_height = side, .window = {0, 0, side, side}};
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
  const int64_t shorter = std::min(width, height), longer = std::max(width, height);
  const int side = static_cast<int>(image_size);
  const int64_t longer_out = image_size * longer / shorter;
  const int full_width = width <= height ? side : static_cast<int>(longer_out);
  const int full_height = width <= height ? static_cast<int>(longer_out) : side;
  return {.source = {0, 0, width, height},
          .full_width = full_width,
          .full_height = full_height,
          .window = {(full_width - side) / 2, (full_height - side) / 2, side, side}};
}

Cropper::Cropper(const AugmentOptions& options, ResizeKernel kernel)
    : options_(options),
      random_(IndexOf(options.kind, "centre_crop", "random_resized_crop", "kind") == 1),
      fast_(IndexOf(options.decode, "exact", "fast", "decode") == 1),
      filter_(IndexOf(options.filter, "bilinear", "bicubic", "filter") == 1 ? Filter::kBicubic
                                                                            : Filter::kBilinear),
      resizer_(kernel) {}

ResizePlan Cropper::Plan(int width, int height, Rng& rng) const {
  return random_ ? PlanRandomResizedCrop(width, height, options_, rng)
                 : PlanCentreCrop(width, height, options_.image_size);
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
}

void Cropper::Crop(const Image& image, Rng& rng, uint8_t* out) {
  resizer_.Resize(image.view(), Plan(image.width, image.height, rng), filter_, out);
}

}  // namespace graticule
