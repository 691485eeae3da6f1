#include "data/image/resize.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace graticule {
namespace {

Image Noise(int width, int height, uint32_t seed) {
  Image image;
  image.Reset(width, height);
  for (uint8_t& byte : image.rgb) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(seed >> 24);
  }
  return image;
}

std::vector<uint8_t> Resized(const Image& image, const ResizePlan& plan, Filter filter, ResizeKernel kernel) {
  std::vector<uint8_t> out(size_t{3} * plan.window.width * plan.window.height);
  Resizer(kernel).Resize(image.view(), plan, filter, out.data());
  return out;
}

// By hand, from the definition: three samples to two with the triangle filter of width 1.5. The weights of
// output 0 are triangle((t - 0.25) / 1.5) at t = 0, 1, 2 with t + 0.5 as the sample's centre: 5/6, 1/2, 0 ->
// 5/8, 3/8.
TEST(Resize, WeightsOfThreeToTwoAreThoseComputedByHand) {
  AxisWeights weights;
  ComputeAxisWeights(Filter::kBilinear, 3, 0, 3, 2, 0, 2, weights);
  EXPECT_EQ(weights.first, (std::vector<int>{0, 1}));
  EXPECT_EQ(weights.count, (std::vector<int>{2, 2}));
  const double unit = 1 << 22;
  EXPECT_EQ(weights.weight[0], static_cast<int32_t>(0.625 * unit));
  EXPECT_EQ(weights.weight[1], static_cast<int32_t>(0.375 * unit));
  EXPECT_EQ(weights.weight[weights.taps], static_cast<int32_t>(0.375 * unit));
}

TEST(Resize, CubicOvershootIsClippedBetweenThePasses) {
  // Upscaling a step by two: Keys' kernel gives -7/128 ... so black stays 0 and white stays 255 where it
  // overshoots.
  Image step;
  step.Reset(8, 1);
  for (int x = 4; x < 8; ++x) {
    for (int c = 0; c < 3; ++c) step.rgb[3 * x + c] = 255;
  }
  const auto out =
      Resized(step, {{0, 0, 8, 1}, 16, 1, {0, 0, 16, 1}}, Filter::kBicubic, ResizeKernel::kFastest);
  EXPECT_EQ(out[3 * 6], 0);
  EXPECT_EQ(out[3 * 9], 255);
  // Beside the edge two white samples count, K(0.25) = 0.8671875 and K(1.25) = -0.0703125.
  EXPECT_EQ(out[3 * 8], static_cast<uint8_t>(255 * (0.8671875 - 0.0703125) + 0.5));
}

TEST(Resize, WideAndPortableKernelsAgreeOnEveryShape) {
  int shapes = 0;
  for (const int width : {1, 2, 3, 5, 16, 31, 97, 640}) {
    for (const int height : {1, 2, 7, 64, 129}) {
      for (const int side : {1, 4, 17, 224}) {
        const Image image = Noise(width, height, static_cast<uint32_t>(width * 1000 + height));
        const int x = width / 3, y = height / 4;
        const ResizePlan plan{{x, y, width - x, height - y},
                              side,
                              side + 3,
                              {side / 5, side / 3, side - side / 5, side - side / 3}};
        for (const Filter filter : {Filter::kBilinear, Filter::kBicubic}) {
          const auto expected = Resized(image, plan, filter, ResizeKernel::kPortable);
          for (const ResizeKernel kernel : {ResizeKernel::kAvx2, ResizeKernel::kAvx512, ResizeKernel::kVbmi}) {
            ASSERT_EQ(Resized(image, plan, filter, kernel), expected)
                << width << " x " << height << " -> " << side;
          }
          ++shapes;
        }
      }
    }
  }
  EXPECT_EQ(shapes, 8 * 5 * 4 * 2);
}

TEST(Resize, WindowIsThatPartOfTheWholeResult) {
  const Image image = Noise(120, 90, 5);
  const auto whole =
      Resized(image, {{0, 0, 120, 90}, 64, 48, {0, 0, 64, 48}}, Filter::kBicubic, ResizeKernel::kFastest);
  const auto part =
      Resized(image, {{0, 0, 120, 90}, 64, 48, {9, 11, 30, 20}}, Filter::kBicubic, ResizeKernel::kFastest);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 3 * 30; ++x) ASSERT_EQ(part[y * 90 + x], whole[(y + 11) * 192 + 27 + x]);
  }
}

}  // namespace
}  // namespace graticule
