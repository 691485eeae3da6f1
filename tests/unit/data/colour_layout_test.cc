// The colour layout against images whose means are known, and the neighbour search against a plain one in
// double precision.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "data/baseline/colour_layout.h"

namespace graticule {
namespace {

TEST(ColourLayout, IsTheMeanOfEachGridCell) {
  Image image;
  image.Reset(16, 24);  // cells of 2 x 3 pixels
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 16; ++x) {
      uint8_t* pixel = &image.rgb[static_cast<size_t>(y * 16 + x) * 3];
      pixel[0] = static_cast<uint8_t>(10 * (x / 2) + (x % 2) * 4);  // mean 10 c + 2
      pixel[1] = static_cast<uint8_t>(20 * (y / 3) + y % 3);        // mean 20 r + 1
      pixel[2] = 7;
    }
  }
  const ColourLayout layout = ComputeColourLayout(image.view());
  for (int row = 0; row < 8; ++row) {
    for (int column = 0; column < 8; ++column) {
      const float* cell = &layout[static_cast<size_t>(row * 8 + column) * 3];
      EXPECT_FLOAT_EQ(cell[0], static_cast<float>(10 * column + 2));
      EXPECT_FLOAT_EQ(cell[1], static_cast<float>(20 * row + 1));
      EXPECT_FLOAT_EQ(cell[2], 7);
    }
  }
}

TEST(ColourLayout, WorksOnImagesSmallerThanTheGrid) {
  Image image;
  image.Reset(3, 1);
  image.rgb = {0, 0, 0, 90, 90, 90, 200, 200, 200};
  const ColourLayout layout = ComputeColourLayout(image.view());
  EXPECT_FLOAT_EQ(layout[0], 0);
  EXPECT_FLOAT_EQ(layout[7 * 3], 200);
  EXPECT_FLOAT_EQ(layout[63 * 3], 200);
}

TEST(NearestLayouts, AgreesWithAPlainSearch) {
  Rng rng(11, {.purpose = Purpose::kTest});
  const auto draw = [&](size_t n) {
    std::vector<ColourLayout> layouts(n);
    for (ColourLayout& layout : layouts) {
      for (float& value : layout) value = static_cast<float>(rng.Uniform(0, 255));
    }
    return layouts;
  };
  const auto gallery = draw(200), queries = draw(37);
  const std::vector<int64_t> found = NearestLayouts(gallery, queries, 3);
  for (size_t q = 0; q < queries.size(); ++q) {
    double best = 1e300;
    int64_t expected = -1;
    for (size_t g = 0; g < gallery.size(); ++g) {
      double distance = 0;
      for (size_t i = 0; i < queries[q].size(); ++i) {
        const double d = static_cast<double>(queries[q][i]) - static_cast<double>(gallery[g][i]);
        distance += d * d;
      }
      if (distance < best) best = distance, expected = static_cast<int64_t>(g);
    }
    EXPECT_EQ(found[q], expected) << q;
  }
  EXPECT_EQ(NearestLayouts({}, queries, 1)[0], -1);
}

}  // namespace
}  // namespace graticule
