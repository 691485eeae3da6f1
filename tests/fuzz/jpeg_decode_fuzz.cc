// Any bytes as an image of a record: header, EXIF orientation, pixels, centre crop. The first byte picks the
// options.
#include <vector>

#include "base/error.h"
#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  static JpegDecoder decoder;  // reused, as a loader's thread does: no input may spoil the next one
  static Image image;
  if (size == 0) return 0;
  const JpegOptions options{.apply_orientation = (data[0] & 1) != 0,
                            .allow_truncated = (data[0] & 2) != 0,
                            .limits = {.max_pixels = 1 << 18, .max_memory = 8 << 20, .max_scans = 12}};
  const auto part = [&](int width, int height) {
    const int x = data[0] % width, y = data[0] % height;
    return JpegPart{{x, y, width - x, (height - y + 1) / 2}, 1 << (data[0] >> 6)};
  };
  try {
    if ((data[0] & 8) != 0) {
      JpegOptions some = options;
      some.part = part;
      decoder.Decode({data + 1, size - 1}, some, image);
    }
    decoder.Decode({data + 1, size - 1}, options, image);
    std::vector<uint8_t> out(3 * 16 * 16);
    Rng rng(1, {.purpose = Purpose::kCrop});
    Cropper({.image_size = 16, .kind = (data[0] & 4) != 0 ? "centre_crop" : "random_resized_crop"})
        .Crop(image, rng, out.data());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
