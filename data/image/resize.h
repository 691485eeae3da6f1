// Resamples 8-bit RGB exactly as Pillow's Image.resize does with the BICUBIC (a = -0.5) and BILINEAR filters:
// both widen with the reduction factor, weights have 22 fractional bits, columns first, each pass rounded to
// a byte. A box is cut out before resampling (as img.crop(box).resize(size): no pixel outside the box takes
// part), and only a window of the result is computed, so that a centre crop costs no more than its own
// pixels.
//
// The wide kernels (AVX-512 VBMI, AVX-512 VNNI, AVX2; chosen at run time) and the portable one give the same
// bytes. A Resizer owns its weight tables and scratch rows: one per thread. Wrong geometry is a bug, not an
// Error. Source of the arithmetic: Pillow's libImaging; equality is tested in tests/parity/image_test.py.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/image/image.h"

namespace graticule {

enum class Filter : uint8_t { kBilinear, kBicubic };
// kFastest: the widest that the CPU has. A kernel that it lacks falls back to the next one down.
enum class ResizeKernel : uint8_t { kPortable, kAvx2, kAvx512, kVbmi, kFastest };

// `source` of the input becomes full_width x full_height pixels, of which `window` is written.
struct ResizePlan {
  Box source;
  int full_width = 0, full_height = 0;
  Box window;
  // Which stretch of `source` is meant, where it does not begin and end at whole pixels (Pillow's box); width
  // 0: all.
  struct Stretch {
    double x = 0, y = 0, width = 0, height = 0;
    bool operator==(const Stretch&) const = default;
  } stretch{};
  bool mirror = false;  // the result is to be flipped left to right (by Cropper, not by Resizer)
  bool operator==(const ResizePlan&) const = default;
};

// The weights of one axis: output i is the sum over t < taps of weight[i * taps + t] * input[first[i] + t],
// with weights in units of 2^-22. Taps from `count` on have weight 0 and may lie beyond the input.
struct AxisWeights {
  int taps = 0;            // a multiple of 4
  std::vector<int> first;  // input index, relative to the box
  std::vector<int> count;  // taps that lie inside the input
  std::vector<int32_t> weight;
  // After PackPairs: each weight as high * 2^11 + low, taps (t, t + 1) packed as two int16 in one word, low
  // half first.
  std::vector<int32_t> high_pairs, low_pairs;
};

// Weights that take the stretch [from, from + length) of `in` samples to `out`, for the outputs [begin, begin
// + size).
void ComputeAxisWeights(Filter filter, int in, double from, double length, int out, int begin, int size,
                        AxisWeights& weights);

// Fills the pairs, for the kernels that multiply words.
void PackPairs(AxisWeights& weights);

namespace kernels {
struct BlockWeights;
}

class Resizer {
 public:
  explicit Resizer(ResizeKernel kernel = ResizeKernel::kFastest);
  ~Resizer();
  Resizer(Resizer&&) noexcept;
  // Writes plan.window, rows without gaps, to `out` [window.height, window.width, 3].
  void Resize(ImageView in, const ResizePlan& plan, Filter filter, uint8_t* out);

 private:
  void Horizontal(ImageView in, const Box& source, int first_row, int rows, int width);
  void Vertical(int first_row, int row_bytes, int height, uint8_t* out) const;
  void ResizePlanes(ImageView in, const ResizePlan& plan, int first_row, int rows, uint8_t* out);

  ResizeKernel kernel_;
  AxisWeights across_, down_;
  std::vector<uint8_t> rows_;    // result of the first pass, with slack for wide loads
  std::vector<uint8_t> planes_;  // one source row by channel
  std::unique_ptr<kernels::BlockWeights> blocks_;
  std::vector<uint8_t> copies_[4];  // padded copies of rows at the end of the image
};

}  // namespace graticule
