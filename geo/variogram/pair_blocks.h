// Blocks of pairs made by several threads and taken in order: the sums do not depend on the threads.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "geo/variogram/pair_sums.h"

namespace graticule {

// Calls work(0) to work(count - 1), each once, on any of the threads. The first failure is thrown again once
// every thread has ended.
void RunParallel(int threads, int64_t count, const std::function<void(int64_t)>& work);

using MakeBlock = std::function<void(int64_t block, std::vector<PairSample>& out)>;

// Makes blocks [first, first + count) and adds them in order. All are in memory at once.
void AddBlocks(int threads, int64_t first, int64_t count, const MakeBlock& make, PairSums& sums);

}  // namespace graticule
