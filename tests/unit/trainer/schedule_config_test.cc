#include "trainer/optim/schedule_config.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(Schedule, WarmUpReachesThePeakWithTheStepThatFillsIt) {
  ScheduleConfig c;
  c.warmup_samples = 100;
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 0, 25, 1000), 0.25);
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 50, 25, 1000), 0.75);
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 75, 25, 1000), 1.0);
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 90, 25, 1000), 1.0);  // a batch across the end does not overshoot
}

TEST(Schedule, CosineFallsFromOneToTheFinalFactor) {
  ScheduleConfig c;
  c.kind = "cosine";
  c.warmup_samples = 200;
  c.final_factor = 0.1;
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 200, 10, 1000), 1.0);
  EXPECT_NEAR(ScheduleFactor(c, 600, 10, 1000), 0.55, 1e-12);
  EXPECT_NEAR(ScheduleFactor(c, 400, 10, 1000), 0.1 + 0.9 * 0.8535533905932737,
              1e-12);  // (1 + cos(pi/4)) / 2
  EXPECT_NEAR(ScheduleFactor(c, 1000, 10, 1000), 0.1, 1e-12);
}

TEST(Schedule, LinearIsHalfWayInTheMiddle) {
  ScheduleConfig c;
  c.kind = "linear";
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 250, 10, 1000), 0.75);
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 1000, 10, 1000), 0.0);
}

TEST(Schedule, StepDropsAtEachMilestone) {
  ScheduleConfig c;
  c.kind = "step";
  c.milestones_samples = {100, 300};
  c.gamma = 0.1;
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 99, 1, 1000), 1.0);
  EXPECT_NEAR(ScheduleFactor(c, 100, 1, 1000), 0.1, 1e-15);
  EXPECT_NEAR(ScheduleFactor(c, 300, 1, 1000), 0.01, 1e-15);
}

TEST(Schedule, DependsOnSamplesAndNotOnHowTheyAreBatched) {
  ScheduleConfig c;
  c.kind = "cosine";
  EXPECT_DOUBLE_EQ(ScheduleFactor(c, 500, 4, 1000), ScheduleFactor(c, 500, 250, 1000));
}

TEST(ScheduleFactor, DropsAfterEverySoManySamplesAsStepLrDoesPerEpoch) {
  ScheduleConfig config;
  config.kind = "step";
  config.every_samples = 1000;
  config.gamma = 0.87;
  EXPECT_DOUBLE_EQ(ScheduleFactor(config, 999, 1, 9000), 1);
  EXPECT_DOUBLE_EQ(ScheduleFactor(config, 1000, 1, 9000), 0.87);
  EXPECT_NEAR(ScheduleFactor(config, 3500, 1, 9000), 0.658503, 1e-12);
}

}  // namespace
}  // namespace graticule
