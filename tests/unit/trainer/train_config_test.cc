#include "trainer/step/train_config.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace graticule {
namespace {

TEST(TrainConfig, DerivesAccumulationFromMicroBatchAndRanks) {
  TrainConfig c;
  c.global_batch = 96;
  EXPECT_EQ(AccumulationSteps(c, 4), 1);
  c.micro_batch = 8;
  EXPECT_EQ(AccumulationSteps(c, 4), 3);
  EXPECT_EQ(AccumulationSteps(c, 1), 12);
  c.micro_batch = 1000;  // more than the share is the share
  EXPECT_EQ(AccumulationSteps(c, 2), 1);
}

TEST(TrainConfig, RefusesBatchesThatDoNotDivide) {
  TrainConfig c;
  c.global_batch = 96;
  EXPECT_THROW(AccumulationSteps(c, 5), Error);
  c.micro_batch = 7;
  EXPECT_THROW(AccumulationSteps(c, 4), Error);
}

TEST(TrainConfig, TakesTheDurationFromWhicheverIsGiven) {
  TrainConfig c;
  c.global_batch = 10;
  c.steps = 7;
  EXPECT_EQ(TotalSteps(c, 100), 7);
  c.steps = 0;
  c.samples = 1009;
  EXPECT_EQ(TotalSteps(c, 100), 100);
  c.samples = 0;
  c.epochs = 1.5;
  EXPECT_EQ(TotalSteps(c, 100), 150);
}

}  // namespace
}  // namespace graticule
