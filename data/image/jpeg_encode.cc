#include "data/image/jpeg_encode.h"

#include <turbojpeg.h>

#include "base/error.h"

namespace graticule {

JpegEncoder::JpegEncoder() : handle_(tjInitCompress()) {
  GRATICULE_CHECK(handle_ != nullptr, tjGetErrorStr());
}

JpegEncoder::~JpegEncoder() { tjDestroy(handle_); }

std::vector<uint8_t> JpegEncoder::Encode(ImageView image, int quality) {
  std::vector<uint8_t> out(tjBufSize(image.width, image.height, TJSAMP_420));
  unsigned char* buffer = out.data();
  unsigned long bytes = out.size();
  const int rc =
      tjCompress2(handle_, image.rgb, image.width, static_cast<int>(image.stride), image.height, TJPF_RGB,
                  &buffer, &bytes, TJSAMP_420, quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT);
  GRATICULE_CHECK(rc == 0, tjGetErrorStr2(handle_));
  out.resize(bytes);
  return out;
}

}  // namespace graticule
