// Any bytes as the EXIF segment of an otherwise sound JPEG of 1 x 1 pixel, read by both of our readers.
#include <string>
#include <vector>

#include "data/image/exif.h"
#include "data/image/jpeg_probe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  size = std::min<size_t>(size, 65535 - 8);
  const size_t length = size + 8;  // of the segment, its length and "Exif\0\0" included
  std::vector<uint8_t> jpeg = {
      0xff, 0xd8, 0xff, 0xe1, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length), 'E', 'x',
      'i',  'f',  0,    0};
  jpeg.insert(jpeg.end(), data, data + size);
  const uint8_t rest[] = {0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1,  1, 1, 0x11, 0,
                          0xff, 0xda, 0, 8,  1, 1, 0, 0, 63, 0, 0, 0xff, 0xd9};
  jpeg.insert(jpeg.end(), rest, rest + sizeof(rest));
  const int orientation = ExifOrientation(jpeg);
  if (orientation < 1 || orientation > 8) __builtin_trap();
  const std::optional<JpegHeader> header = ProbeJpeg(jpeg);
  if (header && (header->exif_orientation < 1 || header->exif_orientation > 8)) __builtin_trap();
  return 0;
}
