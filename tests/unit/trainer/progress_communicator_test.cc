#include "trainer/comm/progress_communicator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"

namespace graticule {
namespace {

// Completes operations when told to, and remembers what it was asked.
class ScriptedTransport final : public HostTransport {
 public:
  struct Script {
    std::mutex mutex;
    std::vector<MpiOperation> started;
    std::atomic<int> may_finish{0};  // how many operations, in order
    std::atomic<bool> fails{false};
    std::atomic<int> tests{0};
  };
  explicit ScriptedTransport(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  void* Start(const MpiOperation& operation) override {
    const std::lock_guard lock(script_->mutex);
    script_->started.push_back(operation);
    return reinterpret_cast<void*>(script_->started.size());
  }
  bool Test(void* request) override {
    ++script_->tests;
    if (script_->fails) throw Error(ErrorCode::kPeer, "connection reset");
    return static_cast<int>(reinterpret_cast<size_t>(request)) <= script_->may_finish;
  }

 private:
  std::shared_ptr<Script> script_;
};

struct Fixture {
  explicit Fixture(double timeout_s = 30) {
    ProgressOptions options{"mpi", "data", 3, 8, "node7", std::chrono::duration<double>(timeout_s)};
    comm = MakeProgressCommunicator(std::make_unique<ScriptedTransport>(script), options);
  }
  std::shared_ptr<ScriptedTransport::Script> script = std::make_shared<ScriptedTransport::Script>();
  std::unique_ptr<Communicator> comm;
};

std::string MessageOf(const WorkPtr& work) {
  try {
    work->Wait();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kPeer);
    return error.what();
  }
  return "";
}

TEST(ProgressCommunicator, IssuesInProgramOrderWithoutWaiting) {
  Fixture f;
  float x[3] = {};
  std::vector<WorkPtr> works;
  for (float& value : x) works.push_back(f.comm->AllReduce(&value, 1, DType::kF32, ReduceOp::kMax));
  f.script->may_finish = 1;
  works[0]->Wait();
  EXPECT_FALSE(works[2]->Done());
  f.script->may_finish = 3;
  works[2]->Wait();
  works[1]->Wait();
  ASSERT_EQ(f.script->started.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(f.script->started[i].data, &x[i]);
  EXPECT_EQ(f.script->started[0].op, static_cast<int>(ReduceOp::kMax));
}

TEST(ProgressCommunicator, DeadlineNamesOperationRankAndChannel) {
  Fixture f(0.05);
  float x = 0;
  f.script->may_finish = 1;
  f.comm->Barrier();
  const std::string message = MessageOf(f.comm->AllReduce(&x, 1, DType::kF32, ReduceOp::kSum));
  EXPECT_NE(message.find("all-reduce #2"), std::string::npos) << message;
  EXPECT_NE(message.find("rank 3 of 8 on node7, data"), std::string::npos) << message;
  EXPECT_NE(MessageOf(f.comm->Broadcast(&x, 1, DType::kF32, 0)).find("#2"), std::string::npos)
      << "the first error stays";
}

TEST(ProgressCommunicator, TransportErrorReachesEveryWaiter) {
  Fixture f;
  float x = 0;
  WorkPtr first = f.comm->AllReduce(&x, 1, DType::kF32, ReduceOp::kSum);
  WorkPtr second = f.comm->AllReduce(&x, 1, DType::kF32, ReduceOp::kSum);
  f.script->fails = true;
  EXPECT_NE(MessageOf(second).find("connection reset"), std::string::npos);
  EXPECT_NE(MessageOf(first).find("connection reset"), std::string::npos);
}

TEST(ProgressCommunicator, AbortFreesAWaiterInAnotherThread) {
  Fixture f;
  float x = 0;
  WorkPtr work = f.comm->AllReduce(&x, 1, DType::kF32, ReduceOp::kSum);
  std::thread waiter([&] { EXPECT_NE(MessageOf(work).find("aborted"), std::string::npos); });
  f.comm->Abort();
  waiter.join();
}

TEST(ProgressCommunicator, SplitsBuffersBeyondTheCountLimit) {
  Fixture f;
  f.script->may_finish = 3;
  const size_t count = 2 * static_cast<size_t>(kMpiMaxCount) + 5;
  char* const base = reinterpret_cast<char*>(0x1000);
  f.comm->AllReduce(base, count, DType::kBF16, ReduceOp::kSum)->Wait();
  ASSERT_EQ(f.script->started.size(), 3u);
  EXPECT_EQ(f.script->started[2].count, 5);
  EXPECT_EQ(f.script->started[2].data, base + 4 * static_cast<size_t>(kMpiMaxCount));
}

TEST(ProgressCommunicator, BacksOffInsteadOfSpinning) {
  Fixture f;
  float x = 0;
  WorkPtr work = f.comm->AllReduce(&x, 1, DType::kF32, ReduceOp::kSum);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  // 300 ms at naps of 0.5 ms are at most 600 tests, plus the start; a busy loop would do hundreds of
  // thousands.
  EXPECT_LT(f.script->tests, 1500);
  f.script->may_finish = 1;
  work->Wait();
}

}  // namespace
}  // namespace graticule
