#include "launch/run_decision.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

RunStatusFile Status(const std::string& state, const std::string& attempt, int exit_code = 0) {
  RunStatusFile status;
  status.state = state;
  status.attempt = attempt;
  status.exit_code = exit_code;
  return status;
}

TEST(RunDecision, FinishedRunsAreNeverRequeued) {
  EXPECT_EQ(Decide(Status("finished", "1_0_0"), "1_0_3", 205, true, false), Decision::kDone);
}

TEST(RunDecision, PreemptedRunsAreRequeuedOnlyWithAGoodCheckpoint) {
  EXPECT_EQ(Decide(Status("preempted", "1_0_0", 75), "1_0_0", 75, true, false), Decision::kRequeue);
  EXPECT_EQ(Decide(Status("preempted", "1_0_0", 75), "1_0_0", 75, false, false), Decision::kStop);
}

TEST(RunDecision, LostRanksAreRequeued) {
  for (const int code : {137, 205, 1, 6}) {
    EXPECT_EQ(Decide(Status("running", "1_0_0"), "1_0_0", code, true, false), Decision::kRequeue) << code;
  }
}

TEST(RunDecision, EndsThatARestartCannotMendStop) {
  for (const int code : {2, 3, 4, 5, 7, 70}) {
    EXPECT_EQ(Decide(Status("failed", "1_0_0", code), "1_0_0", 1, true, false), Decision::kStop) << code;
    EXPECT_EQ(Decide(std::nullopt, "1_0_0", code, false, false), Decision::kStop) << code;
  }
  EXPECT_EQ(Decide(Status("failed", "1_0_0", 6), "1_0_0", 6, true, false), Decision::kRequeue);
}

TEST(RunDecision, AStartThatNeverHappenedIsTriedOnceMore) {
  EXPECT_EQ(Decide(Status("preempted", "1_0_0", 75), "1_0_1", 205, true, false), Decision::kRequeue);
  EXPECT_EQ(Decide(Status("preempted", "1_0_0", 75), "1_0_2", 205, true, true), Decision::kStop);
  EXPECT_EQ(Decide(std::nullopt, "1_0_0", 205, false, false), Decision::kRequeue);
}

TEST(RunDecision, AttemptsFollowWithinOneJobAndTask) {
  EXPECT_TRUE(FollowsAttempt("77_3_2", "77_3_1"));
  EXPECT_FALSE(FollowsAttempt("77_3_3", "77_3_1"));
  EXPECT_FALSE(FollowsAttempt("78_3_2", "77_3_1"));
  EXPECT_FALSE(FollowsAttempt("77_4_2", "77_3_1"));
  EXPECT_FALSE(FollowsAttempt("77_3_x", "77_3_1"));
  EXPECT_FALSE(FollowsAttempt("", ""));
}

}  // namespace
}  // namespace graticule
