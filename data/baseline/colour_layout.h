// The colour layout of an image, 8 x 8 mean colours, and the nearest neighbour in it: the baseline that shows
// how far one gets without looking at shapes. Pure functions; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "data/image/image.h"

namespace graticule {

inline constexpr int kLayoutSide = 8;
using ColourLayout = std::array<float, kLayoutSide * kLayoutSide * 3>;  // [row, column, RGB], 0..255

// Means over the pixels of each grid cell; in images smaller than 8 pixels neighbouring cells share pixels.
ColourLayout ComputeColourLayout(ImageView image);

// For each query the index of the gallery entry at the smallest Euclidean distance, the lowest index among
// equals; -1 where the gallery is empty. `threads` at least 1.
std::vector<int64_t> NearestLayouts(std::span<const ColourLayout> gallery,
                                    std::span<const ColourLayout> queries, int threads);

}  // namespace graticule
