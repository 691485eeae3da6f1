#include "trainer/cuda/nccl_communicator.h"

#include <nccl.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "trainer/cuda/handles.h"

namespace graticule {
namespace {

using Clock = std::chrono::steady_clock;

ncclDataType_t TypeOf(DType dtype) {
  switch (dtype) {
    case DType::kU8:
      return ncclUint8;
    case DType::kI32:
      return ncclInt32;
    case DType::kI64:
      return ncclInt64;
    case DType::kU64:
      return ncclUint64;
    case DType::kF32:
      return ncclFloat32;
    case DType::kF64:
      return ncclFloat64;
    case DType::kBF16:
      return ncclBfloat16;
  }
  return ncclNumTypes;
}

ncclRedOp_t OperationOf(ReduceOp op) {
  return op == ReduceOp::kSum ? ncclSum : op == ReduceOp::kMin ? ncclMin : ncclMax;
}

// What the issuing thread, the watchdog and the waiters share.
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  ncclComm_t comm = nullptr;
  std::optional<Error> broken;
  bool stopping = false;

  // Aborting NCCL ends its kernels; whoever waits for them on host or device goes on. Call with the lock
  // held.
  void Break(Error error) {
    if (broken) return;
    broken = std::move(error);
    if (comm) ncclCommAbort(std::exchange(comm, nullptr));
    changed.notify_all();
  }
  void ThrowIfBroken() {
    const std::lock_guard lock(mutex);
    if (broken) throw *broken;
  }
};

struct NcclWork final : Work {
  NcclWork(std::shared_ptr<Shared> shared, std::string name, Clock::time_point deadline)
      : shared(std::move(shared)), name(std::move(name)), deadline(deadline) {}
  void Wait() override {
    // Polling, because a host that sleeps in the driver cannot be freed.
    auto nap = std::chrono::microseconds(20);
    while (true) {
      shared->ThrowIfBroken();
      if (done.Done()) return;
      std::this_thread::sleep_for(nap);
      nap = std::min(nap * 2, std::chrono::microseconds(500));
    }
  }
  bool Done() override { return done.Done(); }
  void WaitOn(StreamHandle stream) override {
    shared->ThrowIfBroken();
    done.Hold(static_cast<cudaStream_t>(stream));
  }

  const std::shared_ptr<Shared> shared;
  const std::string name;
  const Clock::time_point deadline;
  CudaEvent done;
};

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(Communicator& control, int device, double timeout_s)
      : rank_(control.rank()),
        size_(control.world_size()),
        device_(device),
        timeout_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout_s))) {
    GRATICULE_CUDA(cudaSetDevice(device_));
    ConnectCollective(control);
    stream_.emplace();
    ready_.emplace();
    watchdog_ = std::thread([this] { Watch(); });
  }

  ~NcclCommunicator() override {
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->stopping = true;
    }
    shared_->changed.notify_all();
    watchdog_.join();
    if (!shared_->comm) return;
    // Finalising and destroying may wait for peers; polled like everything else.
    ncclCommFinalize(shared_->comm);
    ncclResult_t state = ncclInProgress;
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (ncclCommGetAsyncError(shared_->comm, &state) == ncclSuccess && state == ncclInProgress &&
           Clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    state == ncclSuccess ? ncclCommDestroy(shared_->comm) : ncclCommAbort(shared_->comm);
  }

  int rank() const override { return rank_; }
  int world_size() const override { return size_; }
  std::string name() const override { return "nccl"; }

  WorkPtr AllReduce(void* data, size_t count, DType dtype, ReduceOp op, StreamHandle stream) override {
    return Issue("all-reduce", count, stream, [&](ncclComm_t comm, cudaStream_t on) {
      return ncclAllReduce(data, data, count, TypeOf(dtype), OperationOf(op), comm, on);
    });
  }
  WorkPtr AllGather(const void* send, void* recv, size_t count, DType dtype, StreamHandle stream) override {
    return Issue("all-gather", count, stream, [&](ncclComm_t comm, cudaStream_t on) {
      return ncclAllGather(send, recv, count, TypeOf(dtype), comm, on);
    });
  }
  WorkPtr ReduceScatter(const void* send, void* recv, size_t count, DType dtype, ReduceOp op,
                        StreamHandle stream) override {
    return Issue("reduce-scatter", count, stream, [&](ncclComm_t comm, cudaStream_t on) {
      return ncclReduceScatter(send, recv, count, TypeOf(dtype), OperationOf(op), comm, on);
    });
  }
  WorkPtr Broadcast(void* data, size_t count, DType dtype, int root, StreamHandle stream) override {
    return Issue("broadcast", count, stream, [&](ncclComm_t comm, cudaStream_t on) {
      return ncclBroadcast(data, data, count, TypeOf(dtype), root, comm, on);
    });
  }
  void Barrier() override {
    void* token = barrier_token_.Reserve(sizeof(int32_t));
    GRATICULE_CUDA(cudaMemsetAsync(token, 0, sizeof(int32_t), stream_->get()));
    AllReduce(token, 1, DType::kI32, ReduceOp::kSum, nullptr)->Wait();
  }
  void Abort() noexcept override {
    const std::lock_guard lock(shared_->mutex);
    shared_->Break(Error(ErrorCode::kPeer, "the communicator was aborted", Where()));
  }

 private:
  std::string Where() const {
    return "rank " + std::to_string(rank_) + " of " + std::to_string(size_) + ", data communicator (NCCL)";
  }

  // Waits until NCCL has taken the last call. With the lock held, since NCCL handles are not thread-safe.
  void Settle(ncclResult_t code, const std::string& doing, Clock::time_point deadline) {
    while (code == ncclInProgress && Clock::now() < deadline) {
      if (ncclCommGetAsyncError(shared_->comm, &code) != ncclSuccess) code = ncclSystemError;
      if (code == ncclInProgress) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    if (code == ncclSuccess) return;
    const std::string why = code == ncclInProgress ? "no answer in time" : ncclGetErrorString(code);
    const std::string last = shared_->comm ? ncclGetLastError(shared_->comm) : "";
    shared_->Break(Error(ErrorCode::kPeer, doing + ": " + why + (last.empty() ? "" : " (" + last + ")"),
                         Where(), "NCCL_DEBUG=INFO tells more; comm.timeout_s sets the limit"));
    throw *shared_->broken;
  }

  void ConnectCollective(Communicator& control) {
    ncclUniqueId id{};
    const ncclResult_t made = rank_ == 0 ? ncclGetUniqueId(&id) : ncclSuccess;
    if (control.SumScalar(made == ncclSuccess ? 0 : 1) > 0) {
      throw Error(ErrorCode::kPeer, std::string("ncclGetUniqueId: ") + ncclGetErrorString(made), "rank 0",
                  "NCCL_SOCKET_IFNAME names the network interface to use");
    }
    control.Broadcast(&id, sizeof id, DType::kU8, 0)->Wait();
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    const std::lock_guard lock(shared_->mutex);
    const ncclResult_t code = ncclCommInitRankConfig(&shared_->comm, size_, id, rank_, &config);
    Settle(code, "connecting", Clock::now() + timeout_);
  }

  WorkPtr Issue(const char* what, size_t count, StreamHandle stream,
                const std::function<ncclResult_t(ncclComm_t, cudaStream_t)>& call) {
    const auto deadline = Clock::now() + timeout_;
    const std::lock_guard lock(shared_->mutex);
    if (shared_->broken) throw *shared_->broken;
    const std::string name =
        std::string(what) + " #" + std::to_string(++issued_) + " (" + std::to_string(count) + " elements)";
    auto work = std::make_shared<NcclWork>(shared_, name, deadline);
    ready_->Record(static_cast<cudaStream_t>(stream));
    ready_->Hold(stream_->get());
    Settle(call(shared_->comm, stream_->get()), name, deadline);
    work->done.Record(stream_->get());
    watched_.push_back(work);
    shared_->changed.notify_all();
    return work;
  }

  // Body of the watchdog: works end in the order of their stream, so the oldest one is the one to look at.
  void Watch() {
    cudaSetDevice(device_);
    std::unique_lock lock(shared_->mutex);
    while (!shared_->stopping && !shared_->broken) {
      while (!watched_.empty() && EndedOrFaulty(*watched_.front())) watched_.pop_front();
      if (watched_.empty()) {
        shared_->changed.wait(lock);
        continue;
      }
      ncclResult_t state = ncclSuccess;
      ncclCommGetAsyncError(shared_->comm, &state);
      const std::string& name = watched_.front()->name;
      if (state != ncclSuccess && state != ncclInProgress) {
        shared_->Break(Error(ErrorCode::kPeer, name + ": " + ncclGetErrorString(state), Where(),
                             "a rank or the network was lost"));
      } else if (Clock::now() > watched_.front()->deadline) {
        shared_->Break(Error(ErrorCode::kPeer, name + " did not finish in time", Where(),
                             "a rank is dead, stopped or much slower; comm.timeout_s sets the limit"));
      } else {
        shared_->changed.wait_for(lock, std::chrono::milliseconds(20));
      }
    }
  }

  // A fault of the device counts as done: the thread that uses the device reports it.
  static bool EndedOrFaulty(NcclWork& work) {
    try {
      return work.done.Done();
    } catch (const Error&) {
      return true;
    }
  }

  const int rank_, size_, device_;
  const Clock::duration timeout_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::optional<CudaStream> stream_;  // made once the device is current
  std::optional<CudaEvent> ready_;
  DeviceBuffer barrier_token_;
  uint64_t issued_ = 0;                            // under shared_->mutex
  std::deque<std::shared_ptr<NcclWork>> watched_;  // under shared_->mutex
  std::thread watchdog_;
};

}  // namespace

std::unique_ptr<Communicator> ConnectNcclCollective(Communicator& control, int device, double timeout_s) {
  return std::make_unique<NcclCommunicator>(control, device, timeout_s);
}

std::string NcclVersion() {
  int v = 0;
  ncclGetVersion(&v);
  return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
}

}  // namespace graticule
