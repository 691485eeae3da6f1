// Eight-bit RGB pixels, interleaved, rows without gaps. An Image owns its bytes and keeps its capacity when
// it is filled again, so that a decoding thread allocates nothing once it has seen its largest image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace graticule {

// Borrowed pixels: valid while their owner is.
struct ImageView {
  const uint8_t* rgb = nullptr;
  int width = 0, height = 0;
  ptrdiff_t stride = 0;  // bytes from one row to the next
  const uint8_t* row(int y) const { return rgb + y * stride; }
};

// A rectangle of pixels.
struct Box {
  int x = 0, y = 0, width = 0, height = 0;
  bool operator==(const Box&) const = default;
};

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]

  void Reset(int new_width, int new_height) {
    width = new_width;
    height = new_height;
    rgb.resize(static_cast<size_t>(width) * height * 3);
  }
  ImageView view() const { return {rgb.data(), width, height, ptrdiff_t{3} * width}; }
};

}  // namespace graticule
