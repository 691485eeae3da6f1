// The orientation that a camera wrote into a JPEG file (EXIF tag 0x0112), and how to turn an image by it.
// Reads untrusted bytes: never outside `jpeg`, never more than its header segments. Stateless, thread-safe.
// Source: EXIF 2.32, sections 4.5.4 and 4.6.4 A.
#pragma once

#include <cstdint>
#include <span>

#include "data/image/image.h"

namespace graticule {

// 1..8 as EXIF numbers them; 1 (upright) when the tag is missing or makes no sense.
int ExifOrientation(std::span<const uint8_t> jpeg);

// Writes to `out` what a viewer would show for `in` with that orientation. `out` must not be `in`.
void ApplyOrientation(const Image& in, int orientation, Image& out);

}  // namespace graticule
