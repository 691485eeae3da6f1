// From a decoded image to the square that a model sees. Random crops follow torchvision's RandomResizedCrop,
// the centre crop Hugging Face's CLIP image processor; pixels are resampled as Pillow does
// (data/image/resize.h).
//
// A plan is a pure function of the image size, the options and the draws of `rng`, whose key is
// (seed, epoch, global position, view, Purpose::kCrop): a record that comes twice in an epoch is cropped
// twice. Plans are values; a Cropper is for one thread; wrong option names are Error(kUsage).
#pragma once

#include <cstdint>
#include <span>

#include "base/rng.h"
#include "data/image/augment_options.h"
#include "data/image/jpeg_decode.h"
#include "data/image/resize.h"

namespace graticule {

// Up to ten tries: area share uniform, aspect ratio log-uniform, sides rounded half to even, offsets uniform;
// then the largest centred crop within the ratio limits. Each try draws two numbers, an accepted one two more
// (y, x).
ResizePlan PlanRandomResizedCrop(int width, int height, const AugmentOptions& options, Rng& rng);

// Shorter side to image_size, longer to floor(image_size * longer / shorter), then the central square, whose
// offset is rounded down.
ResizePlan PlanCentreCrop(int width, int height, int64_t image_size);

// Shorter side to image_size * 8 / 7 (256 for 224), then crop `view` of ten: the corners (top left, top
// right, bottom left, bottom right) and the centre, then the same of the mirrored image. Source:
// torchvision's TenCrop.
inline constexpr int kTenCrops = 10;
ResizePlan PlanTenCrop(int width, int height, int64_t image_size, int view);

class Cropper {
 public:
  explicit Cropper(const AugmentOptions& options, ResizeKernel kernel = ResizeKernel::kFastest);
  Filter filter() const { return filter_; }
  // What becomes of an image of this size. `rng` is touched by random crops alone, `view` told apart by ten
  // crops.
  ResizePlan Plan(int width, int height, Rng& rng, int view = 0) const;
  // The pixels that these plans need, and whether half of them or fewer will do.
  JpegPart PartOf(std::span<const ResizePlan> plans) const;
  // Writes image_size x image_size RGB pixels to `out`; `image` shows a part that holds what the plan needs.
  void Crop(const Image& image, const JpegInfo& shown, const ResizePlan& plan, uint8_t* out);
  // Writes image_size x image_size RGB pixels to `out`. `rng` is not touched by a centre crop.
  void Crop(const Image& image, Rng& rng, uint8_t* out);

 private:
  AugmentOptions options_;
  enum class Kind : uint8_t { kCentre, kRandom, kTen } kind_;
  bool fast_;
  Filter filter_;
  Resizer resizer_;
};

}  // namespace graticule
