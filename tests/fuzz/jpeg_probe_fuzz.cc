// Any bytes as a JPEG header with EXIF.
#include <string>

#include "data/image/jpeg_probe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string why;
  graticule::ProbeJpeg({data, size}, &why);
  return 0;
}
