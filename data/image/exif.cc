#include "data/image/exif.h"

#include <cstring>

#include "base/error.h"

namespace graticule {

namespace {

constexpr uint8_t kStartOfScan = 0xDA, kEndOfImage = 0xD9, kApp1 = 0xE1;
constexpr uint16_t kOrientationTag = 0x0112, kTypeShort = 3;

// A TIFF block with its byte order; reads outside it give 0.
class Tiff {
 public:
  explicit Tiff(std::span<const uint8_t> bytes)
      : bytes_(bytes), big_endian_(bytes.size() > 1 && bytes[0] == 'M') {}
  uint32_t U16(uint64_t at) const {
    return big_endian_ ? Byte(at) << 8 | Byte(at + 1) : Byte(at + 1) << 8 | Byte(at);
  }
  uint32_t U32(uint64_t at) const {
    return big_endian_ ? U16(at) << 16 | U16(at + 2) : U16(at + 2) << 16 | U16(at);
  }
  bool Valid() const {
    if (bytes_.size() < 8 || bytes_[0] != bytes_[1]) return false;
    return (bytes_[0] == 'M' || bytes_[0] == 'I') && U16(2) == 42;
  }

 private:
  uint32_t Byte(uint64_t at) const { return at < bytes_.size() ? bytes_[at] : 0u; }
  std::span<const uint8_t> bytes_;
  bool big_endian_;
};

int OrientationOf(std::span<const uint8_t> block) {
  const Tiff tiff(block);
  if (!tiff.Valid()) return 1;
  const uint64_t directory = tiff.U32(4);
  const uint32_t entries = tiff.U16(directory);
  for (uint32_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + 12ull * i;
    if (entry + 12 > block.size()) return 1;
    if (tiff.U16(entry) != kOrientationTag) continue;
    const uint32_t value = tiff.U16(entry + 8);
    return tiff.U16(entry + 2) == kTypeShort && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace

int ExifOrientation(std::span<const uint8_t> jpeg) {
  static constexpr char kSignature[] = "Exif\0";  // and the string's own zero: six bytes
  if (jpeg.size() < 4 || jpeg[0] != 0xFF || jpeg[1] != 0xD8) return 1;
  size_t at = 2;
  while (at + 4 <= jpeg.size()) {
    if (jpeg[at] != 0xFF) return 1;
    const uint8_t marker = jpeg[at + 1];
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    if (marker == kStartOfScan || marker == kEndOfImage) return 1;
    const size_t length = size_t{jpeg[at + 2]} << 8 | jpeg[at + 3];
    if (length < 2 || at + 2 + length > jpeg.size()) return 1;
    const std::span<const uint8_t> segment = jpeg.subspan(at + 4, length - 2);
    if (marker == kApp1 && segment.size() > 6 && std::memcmp(segment.data(), kSignature, 6) == 0) {
      return OrientationOf(segment.subspan(6));
    }
    at += 2 + length;
  }
  return 1;
}

void ApplyOrientation(const Image& in, int orientation, Image& out) {
  GRATICULE_CHECK(orientation >= 1 && orientation <= 8);
  GRATICULE_CHECK(&in != &out);
  const bool transposed = orientation >= 5;
  out.Reset(transposed ? in.height : in.width, transposed ? in.width : in.height);
  // Walking `in` row by row, its pixel (x, y) lands at origin + x * step_x + y * step_y of `out`.
  const ptrdiff_t row = ptrdiff_t{3} * out.width;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const ptrdiff_t step_x = (transposed ? row : 3) * (mirror_x ? -1 : 1);
  const ptrdiff_t step_y = (transposed ? 3 : row) * (mirror_y ? -1 : 1);
  const ptrdiff_t origin =
      (mirror_x ? -(in.width - 1) * step_x : 0) + (mirror_y ? -(in.height - 1) * step_y : 0);
  const uint8_t* from = in.rgb.data();
  for (int y = 0; y < in.height; ++y) {
    uint8_t* to = out.rgb.data() + origin + y * step_y;
    for (int x = 0; x < in.width; ++x, from += 3, to += step_x) std::memcpy(to, from, 3);
  }
}

}  // namespace graticule
