// Run under mpirun by comm_test.py: comm_check MODE. Exercises the MPI communicators and the ends a world can
// have.
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "base/error.h"
#include "trainer/comm/host_reduce.h"
#include "trainer/comm/world.h"

namespace graticule {
namespace {

void Expect(bool condition, const char* what) {
  if (!condition) throw Error(ErrorCode::kBug, std::string("wrong: ") + what);
}

template <typename T>
void CheckReductions(Communicator& comm, DType dtype) {
  const int n = comm.world_size();
  for (const size_t count : {size_t{1}, size_t{1000}, size_t{300000}}) {
    std::vector<T> x(count), low(count), high(count);
    for (size_t i = 0; i < count; ++i)
      x[i] = low[i] = high[i] = static_cast<T>((i % 7 + comm.rank() * 3) % 11);
    WorkPtr works[] = {comm.AllReduce(x.data(), count, dtype, ReduceOp::kSum),
                       comm.AllReduce(low.data(), count, dtype, ReduceOp::kMin),
                       comm.AllReduce(high.data(), count, dtype, ReduceOp::kMax)};
    for (const WorkPtr& work : works) work->Wait();
    for (size_t i = 0; i < count; ++i) {
      int sum = 0, lowest = 99, highest = -1;
      for (int r = 0; r < n; ++r) {
        const int v = static_cast<int>((i % 7 + r * 3) % 11);
        sum += v, lowest = std::min(lowest, v), highest = std::max(highest, v);
      }
      Expect(x[i] == static_cast<T>(sum) && low[i] == static_cast<T>(lowest) &&
                 high[i] == static_cast<T>(highest),
             "reduction");
    }
  }
}

void CheckBf16(Communicator& comm) {
  const int n = comm.world_size();
  std::vector<uint16_t> x(70000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = FloatToBf16(static_cast<float>(i % 16) * 0.25f + comm.rank());
  comm.AllReduce(x.data(), x.size(), DType::kBF16, ReduceOp::kSum)->Wait();
  for (size_t i = 0; i < x.size(); ++i) {
    const float expected = n * static_cast<float>(i % 16) * 0.25f + n * (n - 1) / 2.0f;
    Expect(std::abs(Bf16ToFloat(x[i]) - expected) <= expected / 128, "bf16 sum");
  }
}

void CheckBlocks(Communicator& comm) {
  const int n = comm.world_size(), r = comm.rank();
  const size_t count = 5000;
  std::vector<double> mine(count, r + 0.5), all(count * n), part(count);
  comm.AllGather(mine.data(), all.data(), count, DType::kF64)->Wait();
  for (int k = 0; k < n; ++k)
    Expect(all[k * count] == k + 0.5 && all[k * count + count - 1] == k + 0.5, "all-gather");
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<double>(i / count) + r;
  comm.ReduceScatter(all.data(), part.data(), count, DType::kF64, ReduceOp::kSum)->Wait();
  for (const double v : part) Expect(v == n * r + n * (n - 1) / 2.0, "reduce-scatter");
  std::vector<uint8_t> bytes(100000, static_cast<uint8_t>(r));
  comm.Broadcast(bytes.data(), bytes.size(), DType::kU8, n - 1)->Wait();
  for (const uint8_t b : bytes) Expect(b == n - 1, "broadcast");
  comm.Barrier();
}

void CheckHelpers(Communicator& comm) {
  const int n = comm.world_size(), r = comm.rank();
  Expect(comm.SumScalar(r + 1) == n * (n + 1) / 2.0, "sum of scalars");
  Expect(comm.MaxScalar(r) == n - 1 && comm.MinScalar(r) == 0, "extremes of scalars");
  const auto texts = comm.GatherStrings(std::string(static_cast<size_t>(r) * 3, 'a' + r));
  for (int k = 0; k < n; ++k)
    Expect(texts[k] == std::string(static_cast<size_t>(k) * 3, 'a' + k), "gathered texts");
  Expect(comm.BroadcastString(r == 0 ? "from zero" : "", 0) == "from zero", "broadcast text");
}

// The sum of floats must not depend on who comes first: same bits in every repeat and on every rank.
void CheckSameBits(World& world) {
  std::mt19937 random(7 + world.rank);
  std::normal_distribution<float> normal;
  for (const size_t count : {size_t{100}, size_t{300000}, size_t{3000000}}) {
    std::vector<float> input(count), first;
    for (float& v : input) v = normal(random);
    for (int repeat = 0; repeat < 6; ++repeat) {
      std::this_thread::sleep_for(std::chrono::milliseconds((world.rank * 5 + repeat * 7) % 11));
      std::vector<float> x = input;
      world.data.AllReduce(x.data(), count, DType::kF32, ReduceOp::kSum)->Wait();
      if (first.empty()) first = x;
      Expect(std::memcmp(first.data(), x.data(), count * 4) == 0, "bits between repeats");
    }
    std::vector<float> of_zero = first;
    world.data.Broadcast(of_zero.data(), count, DType::kF32, 0)->Wait();
    Expect(std::memcmp(of_zero.data(), first.data(), count * 4) == 0, "bits between ranks");
  }
}

int Check(World& world) {
  for (Communicator* comm : {&world.control, &world.data}) {
    CheckReductions<uint8_t>(*comm, DType::kU8);
    CheckReductions<int32_t>(*comm, DType::kI32);
    CheckReductions<int64_t>(*comm, DType::kI64);
    CheckReductions<uint64_t>(*comm, DType::kU64);
    CheckReductions<float>(*comm, DType::kF32);
    CheckReductions<double>(*comm, DType::kF64);
    CheckBf16(*comm);
    CheckBlocks(*comm);
    CheckHelpers(*comm);
  }
  CheckSameBits(world);
  if (world.is_first()) std::printf("ok size %d local %d\n", world.size, world.local_size);
  return 0;
}

// Both communicators at once from two threads: neither may wait for the other.
int Both(World& world) {
  std::thread scalars([&] {
    for (int i = 0; i < 200; ++i) Expect(world.control.SumScalar(1) == world.size, "control sum");
  });
  std::vector<float> x(1 << 20, 1.0f);
  for (int i = 0; i < 20; ++i) world.data.AllReduce(x.data(), x.size(), DType::kF32, ReduceOp::kMax)->Wait();
  scalars.join();
  if (world.is_first()) std::printf("ok\n");
  return 0;
}

int Run(World& world, const std::string& mode) {
  if (mode == "check") return Check(world);
  if (mode == "both") return Both(world);
  if (mode == "preempted") return 75;
  if (mode == "threads") {
    std::fprintf(stderr, "cpus %d warning <%s>\n", world.cpus, AffinityWarning(world, 2).c_str());
    return 0;
  }
  world.control.Barrier();
  if (world.rank == world.size - 1) {
    if (mode == "throw") throw Error(ErrorCode::kData, "found a bad shard", "a.h5", "fetch it again");
    if (mode == "kill") raise(SIGKILL);
    if (mode == "hang") pause();
  }
  if (mode == "all-throw") throw Error(ErrorCode::kNumerics, "loss is not finite", "step 3");
  float x = 1;
  world.data.AllReduce(&x, 1, DType::kF32, ReduceOp::kSum)->Wait();
  return 0;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "check";
  try {
    return graticule::RunInWorld({.device = "cpu", .timeout_s = mode == "hang" ? 1.5 : 60.0},
                                 [&](graticule::World& world) { return graticule::Run(world, mode); });
  } catch (const graticule::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
}
