// Crops of images as flat tables of integers, for a device that resamples without computing weights itself.
//
// Each axis of a crop is what ComputeAxisWeights gives (data/image/resize.h), so whoever applies the tables
// as data/cuda/crop_resize.h does gets the bytes of Resizer. Tables of many crops lie in one buffer, which
// travels to a device in one copy. Not thread-safe: one per thread, cleared and filled again. Geometry that
// does not fit is a bug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/image/resize.h"

namespace graticule {

// One axis of n outputs, at `at` in the words: first[n], count[n], weight[n * taps].
struct AxisTable {
  size_t at = 0;
  int taps = 0;
};

struct CropTable {
  Box source;                   // whole pixels of the image
  int first_row = 0, rows = 0;  // of `source`: those that the second pass reads
  int width = 0, height = 0;    // of the result
  bool mirror = false;          // the result is flipped left to right
  AxisTable across, down;
};

class CropTables {
 public:
  void Clear();
  void Add(const ResizePlan& plan, Filter filter);
  std::span<const CropTable> crops() const { return crops_; }
  std::span<const int32_t> words() const { return words_; }

 private:
  AxisTable Append(const AxisWeights& weights);

  std::vector<CropTable> crops_;
  std::vector<int32_t> words_;
  AxisWeights across_, down_;  // scratch
};

}  // namespace graticule
