#include "data/baseline/colour_layout.h"

#include <algorithm>
#include <limits>
#include <thread>

#include "base/error.h"

namespace graticule {
namespace {

constexpr size_t kLanes = 16;  // independent sums, so that the compiler may use vector registers
static_assert(std::tuple_size_v<ColourLayout> % kLanes == 0);

float SquaredDistance(const ColourLayout& a, const ColourLayout& b) {
  float sums[kLanes] = {};
  for (size_t i = 0; i < a.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float d = a[i + lane] - b[i + lane];
      sums[lane] += d * d;
    }
  }
  float total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

}  // namespace

ColourLayout ComputeColourLayout(ImageView image) {
  GRATICULE_CHECK(image.width > 0 && image.height > 0, "empty image");
  ColourLayout layout{};
  for (int row = 0; row < kLayoutSide; ++row) {
    const int y0 = row * image.height / kLayoutSide,
              y1 = std::max(y0 + 1, (row + 1) * image.height / kLayoutSide);
    for (int column = 0; column < kLayoutSide; ++column) {
      const int x0 = column * image.width / kLayoutSide,
                x1 = std::max(x0 + 1, (column + 1) * image.width / kLayoutSide);
      std::array<int64_t, 3> sum{};
      for (int y = y0; y < y1; ++y) {
        const uint8_t* pixel = image.row(y) + 3 * x0;
        for (int x = x0; x < x1; ++x, pixel += 3) {
          for (int c = 0; c < 3; ++c) sum[c] += pixel[c];
        }
      }
      const auto pixels = static_cast<double>(int64_t{y1 - y0} * (x1 - x0));
      for (int c = 0; c < 3; ++c) {
        layout[static_cast<size_t>((row * kLayoutSide + column) * 3 + c)] =
            static_cast<float>(static_cast<double>(sum[c]) / pixels);
      }
    }
  }
  return layout;
}

std::vector<int64_t> NearestLayouts(std::span<const ColourLayout> gallery,
                                    std::span<const ColourLayout> queries, int threads) {
  GRATICULE_CHECK(threads >= 1);
  std::vector<int64_t> nearest(queries.size(), -1);
  const auto search = [&](size_t q) {
    float best = std::numeric_limits<float>::infinity();
    for (size_t g = 0; g < gallery.size(); ++g) {
      const float distance = SquaredDistance(queries[q], gallery[g]);
      if (distance < best) best = distance, nearest[q] = static_cast<int64_t>(g);
    }
  };
  std::vector<std::jthread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      for (size_t q = static_cast<size_t>(t); q < queries.size(); q += static_cast<size_t>(threads))
        search(q);
    });
  }
  return nearest;
}

}  // namespace graticule
