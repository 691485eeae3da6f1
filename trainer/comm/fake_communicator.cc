#include "trainer/comm/fake_communicator.h"

#include <fmt/format.h>

#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "trainer/comm/host_reduce.h"

namespace graticule {
namespace {

enum class Kind : uint8_t { kAllReduce, kAllGather, kReduceScatter, kBroadcast, kBarrier };

struct Call {
  Kind kind;
  const void* send;
  void* data;
  size_t count;
  DType dtype;
  ReduceOp op;
  int root;

  bool Agrees(const Call& o) const {
    return kind == o.kind && count == o.count && dtype == o.dtype && op == o.op && root == o.root;
  }
};

struct Meeting {
  std::vector<std::optional<Call>> calls;
  int arrived = 0;
  bool done = false;
};

struct Room {
  int size;
  std::chrono::milliseconds timeout;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, std::shared_ptr<Meeting>> open;  // by call number
  std::optional<Error> broken;

  void Break(Error error) {
    if (!broken) broken = std::move(error);
    changed.notify_all();
  }
};

// Reduces every rank's `count` elements starting at `offset` in rank order.
std::vector<char> Reduced(const Meeting& meeting, size_t offset, size_t count) {
  const Call& first = *meeting.calls[0];
  const size_t width = SizeOf(first.dtype);
  const auto source = [&](const Call& call) {
    return static_cast<const char*>(call.kind == Kind::kAllReduce ? call.data : call.send) + offset * width;
  };
  std::vector<char> sum(source(first), source(first) + count * width);
  for (size_t r = 1; r < meeting.calls.size(); ++r) {
    ReduceInto(sum.data(), source(*meeting.calls[r]), count, first.dtype, first.op);
  }
  return sum;
}

void Perform(const Meeting& meeting) {
  const Call& first = *meeting.calls[0];
  const size_t bytes = first.count * SizeOf(first.dtype);
  switch (first.kind) {
    case Kind::kAllReduce: {
      const std::vector<char> sum = Reduced(meeting, 0, first.count);
      for (const auto& call : meeting.calls) std::memcpy(call->data, sum.data(), bytes);
      break;
    }
    case Kind::kReduceScatter:
      for (size_t r = 0; r < meeting.calls.size(); ++r) {
        const std::vector<char> part = Reduced(meeting, r * first.count, first.count);
        std::memcpy(meeting.calls[r]->data, part.data(), bytes);
      }
      break;
    case Kind::kAllGather:
      for (const auto& to : meeting.calls) {
        for (size_t r = 0; r < meeting.calls.size(); ++r) {
          std::memmove(static_cast<char*>(to->data) + r * bytes, meeting.calls[r]->send, bytes);
        }
      }
      break;
    case Kind::kBroadcast:
      for (const auto& to : meeting.calls) {
        const void* from = meeting.calls[first.root]->data;
        if (to->data != from) std::memcpy(to->data, from, bytes);
      }
      break;
    case Kind::kBarrier:
      break;
  }
}

class FakeWork final : public Work {
 public:
  FakeWork(std::shared_ptr<Room> room, std::shared_ptr<Meeting> meeting, uint64_t number, int rank)
      : room_(std::move(room)), meeting_(std::move(meeting)), number_(number), rank_(rank) {}
  void Wait() override {
    std::unique_lock lock(room_->mutex);
    const bool ended =
        room_->changed.wait_for(lock, room_->timeout, [&] { return meeting_->done || room_->broken; });
    if (meeting_->done) return;
    if (!ended) {
      room_->Break(Error(ErrorCode::kPeer,
                         fmt::format("call {}: {} of {} ranks came within {} ms", number_, meeting_->arrived,
                                     room_->size, room_->timeout.count()),
                         fmt::format("rank {}", rank_)));
    }
    throw *room_->broken;
  }
  bool Done() override {
    const std::lock_guard lock(room_->mutex);
    return meeting_->done;
  }

 private:
  std::shared_ptr<Room> room_;
  std::shared_ptr<Meeting> meeting_;
  uint64_t number_;
  int rank_;
};

class FakeCommunicator final : public Communicator {
 public:
  FakeCommunicator(std::shared_ptr<Room> room, int rank) : room_(std::move(room)), rank_(rank) {}
  int rank() const override { return rank_; }
  int world_size() const override { return room_->size; }
  std::string name() const override { return "fake"; }

  WorkPtr AllReduce(void* data, size_t count, DType dtype, ReduceOp op, StreamHandle) override {
    return Join({Kind::kAllReduce, nullptr, data, count, dtype, op, 0});
  }
  WorkPtr AllGather(const void* send, void* recv, size_t count, DType dtype, StreamHandle) override {
    return Join({Kind::kAllGather, send, recv, count, dtype, ReduceOp::kSum, 0});
  }
  WorkPtr ReduceScatter(const void* send, void* recv, size_t count, DType dtype, ReduceOp op,
                        StreamHandle) override {
    return Join({Kind::kReduceScatter, send, recv, count, dtype, op, 0});
  }
  WorkPtr Broadcast(void* data, size_t count, DType dtype, int root, StreamHandle) override {
    return Join({Kind::kBroadcast, nullptr, data, count, dtype, ReduceOp::kSum, root});
  }
  void Barrier() override {
    Join({Kind::kBarrier, nullptr, nullptr, 0, DType::kU8, ReduceOp::kSum, 0})->Wait();
  }
  void Abort() noexcept override {
    const std::lock_guard lock(room_->mutex);
    room_->Break(Error(ErrorCode::kPeer, "the communicator was aborted", fmt::format("rank {}", rank_)));
  }

 private:
  WorkPtr Join(const Call& call) {
    const std::lock_guard lock(room_->mutex);
    const uint64_t number = ++calls_;
    std::shared_ptr<Meeting>& slot = room_->open[number];
    if (!slot) {
      slot = std::make_shared<Meeting>();
      slot->calls.resize(room_->size);
    }
    const std::shared_ptr<Meeting> meeting = slot;
    for (const auto& other : meeting->calls) {
      if (other && !other->Agrees(call)) {
        room_->Break(Error(ErrorCode::kBug, fmt::format("call {} differs between ranks", number),
                           fmt::format("rank {}", rank_)));
      }
    }
    meeting->calls[rank_] = call;
    if (++meeting->arrived == room_->size && !room_->broken) {
      Perform(*meeting);
      meeting->done = true;
      room_->open.erase(number);
      room_->changed.notify_all();
    }
    return std::make_shared<FakeWork>(room_, meeting, number, rank_);
  }

  std::shared_ptr<Room> room_;
  int rank_;
  uint64_t calls_ = 0;  // under room_->mutex
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> MakeFakeCommunicators(int world_size,
                                                                 std::chrono::milliseconds timeout) {
  auto room = std::make_shared<Room>();
  room->size = world_size;
  room->timeout = timeout;
  std::vector<std::unique_ptr<Communicator>> all;
  for (int r = 0; r < world_size; ++r) all.push_back(std::make_unique<FakeCommunicator>(room, r));
  return all;
}

void RunRanks(int world_size, const std::function<void(int)>& body, const std::function<void()>& abort) {
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (int r = 0; r < world_size; ++r) {
    threads.emplace_back([&, r] {
      try {
        body(r);
      } catch (...) {
        {
          const std::lock_guard lock(mutex);
          if (!first) first = std::current_exception();
        }
        if (abort) abort();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace graticule
