// Resizer's passes on CPUs with AVX-512 VBMI: rows are taken apart into planes, and sixteen output pixels are
// made at once, the inputs of each plane gathered by one byte permutation per four taps. Bytes are those of
// the other kernels. Internal to data/image. Nothing is read or written outside the given buffers.
#pragma once

#include <cstdint>
#include <vector>

#include "data/image/resize.h"

namespace graticule::kernels {

bool HasVbmi();

// The weights of AxisWeights by blocks of sixteen outputs.
struct BlockWeights {
  static constexpr int kOutputs = 16;
  int blocks = 0, quads = 0;
  bool wide = false;      // some block's inputs span more than 64 pixels
  std::vector<int> base;  // [blocks] first input pixel
  std::vector<uint8_t>
      index;  // [blocks, quads, 64] which of the pixels from base on, four taps of each output
  std::vector<int8_t> weight;  // [blocks, quads, 3, 64] their weights, by bytes (SplitWeight)
};
// False when sixteen outputs need more than 128 input pixels: the reduction is too strong for this kernel.
bool MakeBlockWeights(const AxisWeights& across, int width, BlockWeights& blocks);

// Planes need room for this many bytes behind their last pixel.
inline constexpr int kPlaneSlack = 192;
void TakeApart(const uint8_t* rgb, int pixels, uint8_t* const planes[3]);
// One row of outputs: out [width, 3]. May write up to kRowSlack bytes of anything behind them.
inline constexpr int kRowSlack = 64;
void RowOfPlanes(const uint8_t* const planes[3], const BlockWeights& blocks, uint8_t* out);
// ColumnAvx512 (resize_kernels.h) with four rows at a time.
inline constexpr int kMaxColumnTaps = 256;
void ColumnOfBytes(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes,
                   uint8_t* out);

}  // namespace graticule::kernels
