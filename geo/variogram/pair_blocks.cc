#include "geo/variogram/pair_blocks.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace graticule {

void RunParallel(int threads, int64_t count, const std::function<void(int64_t)>& work) {
  std::atomic<int64_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto loop = [&] {
    try {
      for (int64_t k = next++; k < count; k = next++) work(k);
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int64_t t = 1; t < std::min<int64_t>(threads, count); ++t) others.emplace_back(loop);
    loop();
  }
  if (failure) std::rethrow_exception(failure);
}

void AddBlocks(int threads, int64_t first, int64_t count, const MakeBlock& make, PairSums& sums) {
  std::vector<std::vector<PairSample>> blocks(static_cast<size_t>(count));
  RunParallel(threads, count, [&](int64_t k) { make(first + k, blocks[static_cast<size_t>(k)]); });
  for (const std::vector<PairSample>& block : blocks) {
    for (const PairSample& pair : block) sums.Add(pair);
  }
}

}  // namespace graticule
