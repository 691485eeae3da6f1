#include "data/loader/worker_pace.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

int After(WorkerPace& pace, int batches, double away_s, double waited_s, double busy_s) {
  for (int i = 0; i < batches; ++i) pace.Taken(away_s, waited_s, busy_s);
  return pace.workers();
}

TEST(WorkerPace, StartsWithAllAndLetsSurplusGoOneByOne) {
  WorkerPace pace(8);
  EXPECT_EQ(pace.workers(), 8);
  EXPECT_EQ(After(pace, 1, 1, 0, 0.1), 7);
  EXPECT_EQ(After(pace, 100, 1, 0, 0.1), 1);
}

TEST(WorkerPace, KeepsHalfAsManyAgainAsTheWorkTakes) {
  for (const auto& [busy_s, workers] : {std::pair{0.6, 1}, {1.0, 2}, {1.6, 3}, {4.0, 6}, {50.0, 8}}) {
    WorkerPace pace(8);
    EXPECT_EQ(After(pace, 100, 1, 0, busy_s), workers) << busy_s;
  }
}

TEST(WorkerPace, FollowsWorkThatGrows) {
  WorkerPace pace(8);
  After(pace, 100, 1, 0, 0.1);
  EXPECT_EQ(After(pace, 100, 1, 0, 2.0), 3);
}

TEST(WorkerPace, DoublesWhenTheConsumerWaits) {
  WorkerPace pace(7);
  After(pace, 100, 1, 0, 0.1);
  EXPECT_EQ(After(pace, 1, 1, 0.01, 0.1), 1) << "one percent is no wait";
  EXPECT_EQ(After(pace, 1, 1, 0.5, 0.1), 2);
  EXPECT_EQ(After(pace, 1, 1, 0.5, 0.1), 4);
  EXPECT_EQ(After(pace, 1, 1, 0.5, 0.1), 7);
}

TEST(WorkerPace, APauseIsNoPace) {
  WorkerPace pace(16);
  After(pace, 100, 1, 0, 7.5);
  ASSERT_EQ(pace.workers(), 12);
  EXPECT_GE(After(pace, 1, 60, 0, 7.5), 11);
  EXPECT_EQ(After(pace, 30, 1, 0, 7.5), 12);
}

TEST(WorkerPace, AConsumerThatComputesNothingKeepsAll) {
  WorkerPace pace(4);
  EXPECT_EQ(After(pace, 50, 0, 1, 3.9), 4);
}

}  // namespace
}  // namespace graticule
