#include "trainer/step/micro_batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace graticule {
namespace {

// B 3, V 2, 2 x 2 pixels; every byte differs from its neighbours.
struct Fixture {
  std::vector<uint8_t> pixels;
  Batch batch;
  Fixture() {
    batch.size = 3;
    batch.views = 2;
    batch.image_size = 2;
    for (int i = 0; i < 3 * 2 * 2 * 2 * 3; ++i) pixels.push_back(static_cast<uint8_t>(i * 3 + 1));
    batch.images_BVHWC = pixels.data();
    batch.places = {{1, 2}, {3, 4}, {5, 6}};
    batch.position = {10, 11, 12};
    batch.record = {20, 21, 22};
    batch.climate = {0, 1, 2};
    batch.month = {3, 4, 5};
    for (int i = 0; i < 18; ++i) batch.aux_B6.push_back(static_cast<float>(i));
  }
};

TEST(MicroBatch, ImagesAreNormalisedPerChannel) {
  Fixture f;
  const at::Tensor x = StageInput(f.batch, c10::kCPU).input.images_B3HW;
  ASSERT_EQ(x.sizes(), (std::vector<int64_t>{6, 3, 2, 2}));
  const double mean[] = {0.48145466, 0.4578275, 0.40821073},
               deviation[] = {0.26862954, 0.26130258, 0.27577711};
  for (int64_t n = 0; n < 6; ++n) {
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t p = 0; p < 4; ++p) {
        const double expected = (f.pixels[(n * 4 + p) * 3 + c] / 255.0 - mean[c]) / deviation[c];
        EXPECT_NEAR(x[n][c][p / 2][p % 2].item<float>(), expected, 2e-6);
      }
    }
  }
}

TEST(MicroBatch, StoredEmbeddingsBecomeFloats) {
  Fixture f;
  const uint16_t half[] = {0x3C00, 0xC100, 0x0001, 0x7BFF, 0x3555, 0x8000};  // IEEE 754 binary16
  f.batch.views = 1;
  f.batch.images_BVHWC = nullptr;
  f.batch.embeddings_BVD = const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(half));
  f.batch.embedding_dim = 2;
  f.batch.embedding_dtype = SafeDType::kF16;
  const at::Tensor x = StageInput(f.batch, c10::kCPU).input.embeddings_BD;
  const float expected[3][2] = {{1.0f, -2.5f}, {0x1p-24f, 65504.0f}, {0x1.554p-2f, -0.0f}};
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t d = 0; d < 2; ++d) EXPECT_EQ(x[b][d].item<float>(), expected[b][d]);
  }
  const Batch part = SliceBatch(f.batch, 1, 2);
  EXPECT_EQ(StageInput(part, c10::kCPU).input.embeddings_BD[0][1].item<float>(), 65504.0f);
}

TEST(MicroBatch, ASliceHoldsItsRowsOfEverything) {
  Fixture f;
  const Batch part = SliceBatch(f.batch, 1, 2);
  EXPECT_EQ(part.size, 2);
  EXPECT_EQ(part.images_BVHWC, f.pixels.data() + 2 * 2 * 2 * 3);
  EXPECT_EQ(part.places[1], (LatLon{5, 6}));
  EXPECT_EQ(part.position, (std::vector<int64_t>{11, 12}));
  EXPECT_EQ(part.record, (std::vector<int64_t>{21, 22}));
  EXPECT_EQ(part.climate, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(part.month, (std::vector<int32_t>{4, 5}));
  EXPECT_EQ(part.aux_B6.front(), 6.0f);
  EXPECT_EQ(part.aux_B6.size(), 12u);
}

}  // namespace
}  // namespace graticule
