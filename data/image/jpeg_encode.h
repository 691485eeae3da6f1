// Baseline JPEG out of an RGB image, through libjpeg-turbo. One per thread; the same pixels give the same
// bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "data/image/image.h"

namespace graticule {

class JpegEncoder {
 public:
  JpegEncoder();
  ~JpegEncoder();
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;
  std::vector<uint8_t> Encode(ImageView image, int quality);

 private:
  void* handle_;
};

}  // namespace graticule
