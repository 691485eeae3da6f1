#include "data/image/augment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace graticule {
namespace {

RngKey Key(uint64_t position, uint32_t view = 0) {
  return {.epoch = 2, .index = position, .view = view, .purpose = Purpose::kCrop};
}

TEST(RandomResizedCrop, AreaRatioAndPlaceFollowTheOptions) {
  const AugmentOptions options{.scale_min = 0.5, .scale_max = 1.0};
  double area = 0, log_ratio = 0, offset = 0;
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    Rng rng(3, Key(i));
    const ResizePlan plan = PlanRandomResizedCrop(1000, 1000, options, rng);
    const Box& box = plan.source;
    ASSERT_TRUE(box.x >= 0 && box.y >= 0 && box.x + box.width <= 1000 && box.y + box.height <= 1000);
    const double share = box.width * box.height / 1e6, ratio = double(box.width) / box.height;
    ASSERT_GT(share, 0.497);
    ASSERT_LT(ratio, 4.0 / 3.0 + 0.01);
    ASSERT_GT(ratio, 0.75 - 0.01);
    area += share / kDraws;
    log_ratio += std::log(ratio) / kDraws;
    if (box.width < 1000) offset += double(box.x) / (1000 - box.width) / kDraws;
    ASSERT_EQ(plan.full_width, 224);
    ASSERT_EQ(plan.window, (Box{0, 0, 224, 224}));
  }
  EXPECT_NEAR(log_ratio, 0, 0.01);
  EXPECT_NEAR(offset, 0.5, 0.03);
  EXPECT_LT(area, 0.75);  // large crops of extreme ratio do not fit and are drawn again
}

TEST(RandomResizedCrop, FallsBackToTheLargestCentredCrop) {
  const AugmentOptions options;  // 0.9 of the area cannot have a ratio of 3/4..4/3 in a panorama
  Rng rng(3, Key(0));
  EXPECT_EQ(PlanRandomResizedCrop(2000, 100, options, rng).source, (Box{933, 0, 133, 100}));
  EXPECT_EQ(PlanRandomResizedCrop(75, 1001, options, rng).source, (Box{0, 450, 75, 100}));
}

TEST(RandomResizedCrop, DependsOnPositionViewAndSeedOnly) {
  const AugmentOptions options{.scale_min = 0.3};
  const auto plan = [&](uint64_t seed, uint64_t position, uint32_t view) {
    Rng rng(seed, Key(position, view));
    return PlanRandomResizedCrop(640, 480, options, rng);
  };
  EXPECT_EQ(plan(1, 5, 0), plan(1, 5, 0));
  EXPECT_NE(plan(1, 5, 0), plan(1, 6, 0));
  EXPECT_NE(plan(1, 5, 0), plan(1, 5, 1));
  EXPECT_NE(plan(1, 5, 0), plan(2, 5, 0));
}

TEST(CentreCrop, LongSideAndOffsetAreRoundedDown) {
  // 224 * 501 / 333 = 337.009, (337 - 224) / 2 = 56.5.
  const ResizePlan plan = PlanCentreCrop(333, 501, 224);
  EXPECT_EQ(plan.full_width, 224);
  EXPECT_EQ(plan.full_height, 337);
  EXPECT_EQ(plan.window, (Box{0, 56, 224, 224}));
}

TEST(Cropper, RefusesUnknownNames) {
  EXPECT_THROW(Cropper({.kind = "squash"}), Error);
  EXPECT_THROW(Cropper({.filter = "lanczos"}), Error);
}

}  // namespace
}  // namespace graticule
