#include "trainer/comm/progress_communicator.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>

#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace graticule {
namespace {

using Clock = std::chrono::steady_clock;

const char* NameOf(int call) {
  switch (static_cast<MpiCall>(call)) {
    case kMpiAllReduce:
      return "all-reduce";
    case kMpiAllGather:
      return "all-gather";
    case kMpiReduceScatter:
      return "reduce-scatter";
    case kMpiBroadcast:
      return "broadcast";
    case kMpiBarrier:
      return "barrier";
  }
  return "operation";
}

// What the issuing thread and the waiters share; Works keep it alive.
struct Shared {
  std::mutex mutex;
  std::condition_variable work_arrived, work_done;
  std::optional<Error> broken;
  bool stopping = false;
};

struct Operation final : Work {
  Operation(std::shared_ptr<Shared> shared, MpiOperation what, uint64_t number, Clock::time_point deadline)
      : shared(std::move(shared)), what(what), number(number), deadline(deadline) {}

  void Wait() override {
    std::unique_lock lock(shared->mutex);
    // The issuing thread breaks the communicator at the deadline; the extra seconds are for the case that it
    // is itself stuck inside the transport.
    const bool ended = shared->work_done.wait_until(lock, deadline + std::chrono::seconds(5),
                                                    [this] { return done || shared->broken.has_value(); });
    if (done) return;
    if (ended) throw *shared->broken;
    throw Error(ErrorCode::kPeer,
                fmt::format("{} #{} is stuck inside the transport", NameOf(what.call), number));
  }
  bool Done() override {
    const std::lock_guard lock(shared->mutex);
    return done;
  }

  const std::shared_ptr<Shared> shared;
  const MpiOperation what;
  const uint64_t number;
  const Clock::time_point deadline;
  void* request = nullptr;  // issuing thread only
  bool done = false;        // under shared->mutex
};

// Several operations that the caller sees as one.
struct JoinedWork final : Work {
  void Wait() override {
    for (const WorkPtr& part : parts) part->Wait();
  }
  bool Done() override {
    for (const WorkPtr& part : parts) {
      if (!part->Done()) return false;
    }
    return true;
  }
  std::vector<WorkPtr> parts;
};

class ProgressCommunicator final : public Communicator {
 public:
  ProgressCommunicator(std::unique_ptr<HostTransport> transport, const ProgressOptions& options)
      : transport_(std::move(transport)), options_(options), issuing_([this] { Run(); }) {}

  ~ProgressCommunicator() override {
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->stopping = true;
    }
    shared_->work_arrived.notify_all();
    issuing_.join();
  }

  int rank() const override { return options_.rank; }
  int world_size() const override { return options_.world_size; }
  std::string name() const override { return options_.name; }

  WorkPtr AllReduce(void* data, size_t count, DType dtype, ReduceOp op, StreamHandle) override {
    return SubmitInParts({kMpiAllReduce, static_cast<int>(dtype), static_cast<int>(op), 0, nullptr, data, 0},
                         count, dtype);
  }
  WorkPtr Broadcast(void* data, size_t count, DType dtype, int root, StreamHandle) override {
    return SubmitInParts({kMpiBroadcast, static_cast<int>(dtype), 0, root, nullptr, data, 0}, count, dtype);
  }
  WorkPtr AllGather(const void* send, void* recv, size_t count, DType dtype, StreamHandle) override {
    return Submit({kMpiAllGather, static_cast<int>(dtype), 0, 0, send, recv, Checked(count)});
  }
  WorkPtr ReduceScatter(const void* send, void* recv, size_t count, DType dtype, ReduceOp op,
                        StreamHandle) override {
    return Submit(
        {kMpiReduceScatter, static_cast<int>(dtype), static_cast<int>(op), 0, send, recv, Checked(count)});
  }
  void Barrier() override { Submit({kMpiBarrier, 0, 0, 0, nullptr, nullptr, 0})->Wait(); }

  void Abort() noexcept override {
    Break(Error(ErrorCode::kPeer, "the communicator was aborted", Where(),
                "the first error of this run says why"));
  }

 private:
  std::string Where() const {
    return fmt::format("rank {} of {} on {}, {} communicator", options_.rank, options_.world_size,
                       options_.host, options_.channel);
  }

  static int64_t Checked(size_t count) {
    GRATICULE_CHECK(count <= static_cast<size_t>(kMpiMaxCount), "too many elements for one gathering call");
    return static_cast<int64_t>(count);
  }

  // MPI counts are ints: longer buffers travel as several operations.
  WorkPtr SubmitInParts(MpiOperation what, size_t count, DType dtype) {
    if (count <= static_cast<size_t>(kMpiMaxCount)) {
      what.count = static_cast<int64_t>(count);
      return Submit(what);
    }
    auto joined = std::make_shared<JoinedWork>();
    for (size_t done = 0; done < count; done += kMpiMaxCount) {
      what.count = static_cast<int64_t>(std::min<size_t>(count - done, kMpiMaxCount));
      joined->parts.push_back(Submit(what));
      what.data = static_cast<char*>(what.data) + static_cast<size_t>(what.count) * SizeOf(dtype);
    }
    return joined;
  }

  WorkPtr Submit(const MpiOperation& what) {
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(options_.timeout);
    std::shared_ptr<Operation> operation;
    {
      const std::lock_guard lock(shared_->mutex);
      operation = std::make_shared<Operation>(shared_, what, ++submitted_, deadline);
      if (!shared_->broken) queue_.push_back(operation);
    }
    shared_->work_arrived.notify_all();
    return operation;
  }

  void Break(Error error) {
    {
      const std::lock_guard lock(shared_->mutex);
      if (shared_->broken) return;
      shared_->broken = std::move(error);
      queue_.clear();
    }
    shared_->work_done.notify_all();
    shared_->work_arrived.notify_all();
  }

  // Body of the issuing thread.
  void Run() {
    prctl(PR_SET_TIMERSLACK, 1000UL);  // the default slack of 50 us would double the shortest sleeps
    std::deque<std::shared_ptr<Operation>> active;
    int idle_rounds = 0;
    while (true) {
      std::deque<std::shared_ptr<Operation>> fresh;
      {
        std::unique_lock lock(shared_->mutex);
        const auto awake = [&] { return !queue_.empty() || shared_->stopping || shared_->broken; };
        if (active.empty()) {
          shared_->work_arrived.wait(lock, awake);
        } else if (idle_rounds > kYields) {
          shared_->work_arrived.wait_for(lock, Nap(idle_rounds),
                                         [&] { return !queue_.empty() || shared_->broken; });
        }
        if (shared_->broken) return;
        if (shared_->stopping && queue_.empty() && active.empty()) return;
        fresh.swap(queue_);
      }
      try {
        for (auto& operation : fresh) {
          operation->request = transport_->Start(operation->what);
          active.push_back(std::move(operation));
        }
        const bool progressed = Poll(active) || !fresh.empty();
        idle_rounds = progressed ? 0 : idle_rounds + 1;
      } catch (const Error& error) {
        return Break(Error(ErrorCode::kPeer, error.message(), Where(),
                           "a rank or the network between ranks was lost"));
      }
      if (idle_rounds > 0 && idle_rounds <= kYields) sched_yield();
    }
  }

  static constexpr int kYields = 50;
  static std::chrono::microseconds Nap(int idle_rounds) {
    return std::chrono::microseconds(std::min(500, 20 << std::min((idle_rounds - kYields) / 8, 5)));
  }

  // Tests every active operation; throws when one is past its deadline.
  bool Poll(std::deque<std::shared_ptr<Operation>>& active) {
    bool progressed = false;
    for (auto it = active.begin(); it != active.end();) {
      Operation& operation = **it;
      if (transport_->Test(operation.request)) {
        {
          const std::lock_guard lock(shared_->mutex);
          operation.done = true;
        }
        shared_->work_done.notify_all();
        it = active.erase(it);
        progressed = true;
        continue;
      }
      if (Clock::now() > operation.deadline) {
        throw Error(ErrorCode::kPeer, fmt::format("{} #{} ({} elements) did not finish within {:g} s",
                                                  NameOf(operation.what.call), operation.number,
                                                  operation.what.count, options_.timeout.count()));
      }
      ++it;
    }
    return progressed;
  }

  std::unique_ptr<HostTransport> transport_;
  const ProgressOptions options_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::deque<std::shared_ptr<Operation>> queue_;  // under shared_->mutex
  uint64_t submitted_ = 0;                        // under shared_->mutex
  std::thread issuing_;                           // last: starts when the rest exists
};

}  // namespace

std::unique_ptr<Communicator> MakeProgressCommunicator(std::unique_ptr<HostTransport> transport,
                                                       const ProgressOptions& options) {
  return std::make_unique<ProgressCommunicator>(std::move(transport), options);
}

}  // namespace graticule
