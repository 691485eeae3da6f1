// Crops of decoded images on the device: the two passes of data/image/resize.h with the weights of
// data/image/crop_tables.h, columns first, each rounded to a byte. Given the same pixels the result is that
// of Resizer, byte for byte. Part of the CUDA module; the arithmetic of one pixel compiles for the host too,
// where tests compare it.
//
// Also marks the ends of image buffers before something is decoded into them: a hardware decoder can leave an
// image out and report success, and what was there before would be trained on.
//
// All pointers are device memory, except on the host. Launches are asynchronous on `stream` (a cudaStream_t)
// and return a cudaError_t.
#pragma once

#include <cstdint>

#include "data/image/crop_tables.h"
#include "data/image/resize_kernels.h"

#ifdef __CUDACC__
#define GRATICULE_HOST_DEVICE __host__ __device__
#else
#define GRATICULE_HOST_DEVICE
#endif

namespace graticule {

struct AxisView {
  int taps;
  const int32_t *first, *count, *weight;
};

struct CropTask {
  const uint8_t* source;  // the first pixel that is read: top left of the box, `first_row` rows down
  int64_t stride;         // bytes from one row of the image to the next
  int first_row, rows, width, height;
  bool mirror;
  AxisView across, down;
  uint8_t* scratch;  // [rows, width, 3]
  uint8_t* out;      // [height, width, 3]
};

inline AxisView ViewOf(const AxisTable& axis, int outputs, const int32_t* words) {
  const int32_t* const first = words + axis.at;
  return {axis.taps, first, first + outputs, first + 2 * int64_t{outputs}};
}

// `words`: those of the tables, where the task will run. image: its top left pixel.
inline CropTask TaskOf(const CropTable& crop, const int32_t* words, const uint8_t* image, int64_t stride,
                       uint8_t* scratch, uint8_t* out) {
  return {.source = image + (crop.source.y + crop.first_row) * stride + int64_t{3} * crop.source.x,
          .stride = stride,
          .first_row = crop.first_row,
          .rows = crop.rows,
          .width = crop.width,
          .height = crop.height,
          .mirror = crop.mirror,
          .across = ViewOf(crop.across, crop.width, words),
          .down = ViewOf(crop.down, crop.height, words),
          .scratch = scratch,
          .out = out};
}

// Output i of an axis, all three channels; `pixel` is where tap 0 lies, `step` the bytes from tap to tap.
GRATICULE_HOST_DEVICE inline void WeighPixel(const AxisView& axis, int i, const uint8_t* pixel, int64_t step,
                                             uint8_t* out) {
  const int32_t* const weight = axis.weight + int64_t{i} * axis.taps;
  int32_t sum[3];
  for (int c = 0; c < 3; ++c) sum[c] = 1 << (kernels::kWeightBits - 1);
  for (int t = 0; t < axis.count[i]; ++t, pixel += step) {
    for (int c = 0; c < 3; ++c) sum[c] += weight[t] * pixel[c];
  }
  for (int c = 0; c < 3; ++c) {
    const int32_t value = sum[c] >> kernels::kWeightBits;
    out[c] = static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
  }
}

// First pass: pixel p < rows * width of the scratch rows.
GRATICULE_HOST_DEVICE inline void CropAcross(const CropTask& task, int p) {
  const int row = p / task.width, x = p - row * task.width;
  WeighPixel(task.across, x, task.source + row * task.stride + int64_t{3} * task.across.first[x], 3,
             task.scratch + int64_t{3} * p);
}

// Second pass: pixel p < height * width of the result.
GRATICULE_HOST_DEVICE inline void CropDown(const CropTask& task, int p) {
  const int y = p / task.width, x = p - y * task.width;
  const int64_t step = int64_t{3} * task.width;
  WeighPixel(task.down, y, task.scratch + (task.down.first[y] - task.first_row) * step + int64_t{3} * x, step,
             task.out + int64_t{3} * (task.mirror ? p - x + task.width - 1 - x : p));
}

// Both passes of `count` tasks, at most 65,535.
int LaunchCrops(const CropTask* tasks, int count, void* stream);

inline constexpr int kMarkBytes = 48;
// Writes a mark into the last kMarkBytes before each of the ends.
int LaunchMark(uint8_t* const* ends, int count, void* stream);
// written[i] = whether mark i is gone.
int LaunchCheckMarks(const uint8_t* const* ends, int count, uint8_t* written, void* stream);

}  // namespace graticule
