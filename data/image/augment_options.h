// How a decoded image becomes a square model input. Plain values: see data/image/augment.h for what they do.
#pragma once

#include <cstdint>
#include <string>

namespace graticule {

struct AugmentOptions {
  int64_t image_size = 224;
  // "random_resized_crop", "centre_crop" (short side resize, then centre crop), or "ten_crop" (one per view)
  std::string kind = "random_resized_crop";
  double scale_min = 0.9, scale_max = 1.0;         // area share of the crop
  double ratio_min = 0.75, ratio_max = 4.0 / 3.0;  // width / height
  std::string filter = "bicubic";                  // or "bilinear"
  bool apply_exif_orientation = true;
  std::string decode =
      "exact";  // or "fast": large images are reduced by the inverse DCT before they are resampled
};

}  // namespace graticule
