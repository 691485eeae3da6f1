#include "trainer/eval/hard_negatives.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(HardNegatives, TellsFarFromNearAndShowsTheWorstRowFirst) {
  // Two neighbours 11 km apart and two places far away; row 2 is mistaken most, row 0 least.
  const std::vector<LatLon> places = {{0, 0}, {0.1, 0}, {40, 40}, {-40, 100}};
  const std::vector<int64_t> records = {10, 11, 12, 13};
  const at::Tensor logits = at::tensor({9.0f, 8.0f, 1.0f, 2.0f,  //
                                        7.0f, 5.0f, 6.0f, 1.0f,  //
                                        4.0f, 3.0f, 0.0f, 8.0f,  //
                                        1.0f, 2.0f, 3.0f, 3.5f})
                                .view({4, 4});
  const auto found = FindHardNegatives(logits, records, places, {.anchors = 3, .shown = 2, .near_km = 25});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].record, 12);  // 8 - 0
  EXPECT_EQ(found[1].record, 11);  // 6 - 5
  EXPECT_EQ(found[2].record, 13);  // 3 - 3.5; row 0 has 2 - 9
  EXPECT_TRUE(found[0].near.empty());
  ASSERT_EQ(found[0].far.size(), 2u);
  EXPECT_EQ(found[0].far[0].record, 13);
  EXPECT_EQ(found[0].far[0].logit, 8);
  EXPECT_EQ(found[0].far[1].record, 10);
  ASSERT_EQ(found[1].near.size(), 1u);
  EXPECT_EQ(found[1].near[0].record, 10);
  EXPECT_NEAR(found[1].near[0].km, 11.12, 0.01);
}

}  // namespace
}  // namespace graticule
