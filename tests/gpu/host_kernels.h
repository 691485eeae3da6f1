// The bodies of the CUDA kernels on the CPU: a team is some std::threads, grids go one team after the other.
//
// Reads host memory. Slow: every call starts its threads. While a ServedBy lives, the fp32 losses of this
// process go through its kernels.
#pragma once

#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

#include "losses/contrastive/contrastive_kernels.h"
#include "losses/cuda/gradient_body.h"
#include "losses/cuda/leave_out_body.h"
#include "losses/cuda/log_sum_bodies.h"

namespace graticule {

class HostTeam {
 public:
  struct Shared {
    explicit Shared(int size) : barrier(size) {}
    std::barrier<> barrier;
    std::atomic<int> votes = 0;
  };
  HostTeam(int index, int size, Shared& shared) : index_(index), size_(size), shared_(shared) {}
  int Index() const { return index_; }
  int Size() const { return size_; }
  void Barrier() { shared_.barrier.arrive_and_wait(); }
  int Count(bool flag) {
    shared_.votes += flag;
    Barrier();
    const int count = shared_.votes;
    Barrier();
    if (flag) --shared_.votes;
    Barrier();
    return count;
  }
  void Add(int32_t* to, int count) { std::atomic_ref(*to) += count; }

 private:
  const int index_, size_;
  Shared& shared_;
};

class HostKernels final : public ContrastiveKernels {
 public:
  // column_threads: of teams that sum columns, a multiple of kColumnsAtOnce.
  HostKernels(int threads, int column_threads) : threads_(threads), column_threads_(column_threads) {}

  bool on_cuda() const override { return false; }
  void LogSums(const LogitBlock& logits, bool of_columns, Slopes slopes, float* sums) const override {
    const int size = of_columns ? column_threads_ : threads_;
    std::vector<LogSum> slots(static_cast<size_t>(size));
    RunTeam(size, [&](HostTeam& team) {
      for (int64_t tile = 0; of_columns && tile * kColumnsAtOnce < logits.columns; ++tile)
        LogSumsOfColumns(team, slots.data(), logits, tile, slopes, sums);
      for (int64_t row = 0; !of_columns && row < logits.rows; ++row)
        LogSumsOfRow(team, slots.data(), logits, row, slopes, sums);
    });
  }
  void Gradient(const LogitBlock& logits, Slopes slopes, const LineStatistics& rows,
                const LineStatistics& columns) const override {
    RunTeam(threads_, [&](HostTeam& team) {
      for (int64_t row = 0; row < logits.rows; ++row)
        for (int64_t tile = 0; tile * kTileColumns < logits.columns; ++tile)
          GradientOfTile(team, logits, slopes, rows, columns, row, tile);
    });
  }
  void LeaveOut(const LogitBlock& logits, const Mask& mask) const override {
    RunTeam(threads_, [&](HostTeam& team) {
      for (int64_t row_tile = 0; row_tile * kMaskRows < logits.rows; ++row_tile)
        for (int64_t tile = 0; tile * threads_ < logits.columns; ++tile)
          LeaveOutTile(team, logits, mask, tile, row_tile);
    });
  }

 private:
  template <class Body>
  static void RunTeam(int size, const Body& body) {
    HostTeam::Shared shared(size);
    std::vector<std::jthread> threads;
    for (int index = 0; index < size; ++index)
      threads.emplace_back([&, index] {
        HostTeam team(index, size, shared);
        body(team);
      });
  }

  const int threads_, column_threads_;
};

class ServedBy {
 public:
  explicit ServedBy(const ContrastiveKernels& kernels) { contrastive_kernels = &kernels; }
  ~ServedBy() { contrastive_kernels = nullptr; }
  ServedBy(const ServedBy&) = delete;
  ServedBy& operator=(const ServedBy&) = delete;
};

}  // namespace graticule
