#include "base/run/run_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "tests/unit/base/temp_folder.h"

namespace graticule {
namespace {

LockOwner Owner(const std::string& token, const std::string& job = "", int64_t restart = 0) {
  LockOwner owner = CurrentOwner();  // alive, this machine
  owner.token = token;
  owner.job = job;
  owner.restart = restart;
  return owner;
}

class RunLockTest : public ::testing::Test {
 protected:
  std::unique_ptr<RunLock> Take(const LockOwner& owner, bool take = false) {
    return std::make_unique<RunLock>(PosixFs(), clock_, temp_.path(), owner, take);
  }
  // The exit code of trying, 0 where it worked.
  int Try(const LockOwner& owner, bool take = false) {
    try {
      Take(owner, take);
      return 0;
    } catch (const Error& error) {
      message_ = error.what();
      return error.exit_code();
    }
  }
  TempFolder temp_{"lock"};
  FakeClock clock_;
  std::string message_;
};

TEST_F(RunLockTest, RefusesASecondOwnerAndNamesTheFirst) {
  const auto lock = Take(Owner("a", "4711"));
  EXPECT_EQ(Try(Owner("b")), 2);
  EXPECT_NE(message_.find("process " + std::to_string(::getpid()) + " on "), std::string::npos) << message_;
  EXPECT_NE(message_.find("job 4711"), std::string::npos);
  EXPECT_NE(message_.find("--take-lock"), std::string::npos);
  EXPECT_NO_THROW(lock->Check());
}

TEST_F(RunLockTest, IsFreeAgainAfterwards) {
  Take(Owner("a")).reset();
  EXPECT_FALSE(PosixFs().Exists(temp_.At("run.lock")));
  EXPECT_EQ(Try(Owner("b")), 0);
}

TEST_F(RunLockTest, TheSameJobRestartedTakesOverAtOnce) {
  const auto old_lock = Take(Owner("a", "4711", 1));
  EXPECT_EQ(Try(Owner("b", "4711", 1)), 2);
  EXPECT_EQ(Try(Owner("b", "4711", 0)), 2);
  EXPECT_EQ(Try(Owner("b", "4712", 5)), 2);
  const auto lock = Take(Owner("c", "4711", 2));
  EXPECT_NO_THROW(lock->Check());
  try {
    old_lock->Check();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 6);
  }
}

TEST_F(RunLockTest, ALockWithoutJobIsNotTheSameJob) {
  const auto lock = Take(Owner("a", "", 0));
  EXPECT_EQ(Try(Owner("b", "", 1)), 2);
}

TEST_F(RunLockTest, OthersWaitForThreeMissedHeartbeats) {
  LockOwner far = Owner("a");
  far.machine = "another machine";
  const auto lock = Take(far);
  clock_.Advance(59);
  EXPECT_EQ(Try(Owner("b")), 2);
  lock->Beat();
  clock_.Advance(59);
  EXPECT_EQ(Try(Owner("b")), 2);
  clock_.Advance(2);
  EXPECT_EQ(Try(Owner("b")), 0);
  EXPECT_THROW(lock->Beat(), Error);
}

TEST_F(RunLockTest, ADeadProcessOfThisMachineIsNoOwner) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  LockOwner dead = Owner("a");
  dead.pid = child;
  ASSERT_TRUE(IsProvablyDead(dead));
  const auto old_lock = Take(dead);
  EXPECT_EQ(Try(Owner("b")), 0);
}

TEST_F(RunLockTest, APidUsedAgainIsAnotherProcess) {
  LockOwner reused = Owner("a");
  reused.process_start += 1;
  EXPECT_TRUE(IsProvablyDead(reused));
  reused.machine += "x";  // a pid of another machine proves nothing
  EXPECT_FALSE(IsProvablyDead(reused));
  EXPECT_FALSE(IsProvablyDead(Owner("a")));
}

TEST_F(RunLockTest, CanBeTakenByForce) {
  const auto lock = Take(Owner("a"));
  const auto second = Take(Owner("b"), true);
  EXPECT_THROW(lock->Check(), Error);
  EXPECT_NO_THROW(second->Check());
}

TEST_F(RunLockTest, ALostOwnerLeavesTheNewLockAlone) {
  auto lock = Take(Owner("a"));
  const auto second = Take(Owner("b"), true);
  lock.reset();
  EXPECT_NO_THROW(second->Check());
}

TEST_F(RunLockTest, ARemovedLockIsLost) {
  const auto lock = Take(Owner("a"));
  PosixFs().Remove(temp_.At("run.lock"));
  EXPECT_THROW(lock->Check(), Error);
}

TEST_F(RunLockTest, AnUnreadableLockNeedsForce) {
  for (const char* text : {"", "{}", "garbage", "{\"job\": 3}"}) {
    WriteFileAtomically(PosixFs(), temp_.At("run.lock"), text);
    EXPECT_EQ(Try(Owner("a")), 2) << text;
    WriteFileAtomically(PosixFs(), temp_.At("run.lock"), text);
    EXPECT_EQ(Try(Owner("a"), true), 0) << text;
  }
}

TEST_F(RunLockTest, BeatsOnlyWhenDue) {
  int writes = 0;
  const auto fs = MakeFaultyFs(
      PosixFs(), [&](std::string_view operation, const std::string&) { writes += operation == "rename"; });
  RunLock lock(*fs, clock_, temp_.path(), Owner("a"));
  for (int i = 0; i < 100; ++i) lock.Beat();
  EXPECT_EQ(writes, 1);
  clock_.Advance(21);
  lock.Beat();
  EXPECT_EQ(writes, 2);
}

}  // namespace
}  // namespace graticule
