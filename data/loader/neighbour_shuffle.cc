#include "data/loader/neighbour_shuffle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "data/loader/order.h"

namespace graticule {
namespace {

// The first half of the list, then as many of the rest in the first steps of a Fisher-Yates shuffle.
void Candidates(std::span<const uint32_t> list, int64_t select, Rng rng, std::vector<uint32_t>& candidates) {
  const auto half = static_cast<size_t>(select / 2);
  const size_t near = std::min(half, list.size());
  candidates.assign(list.begin(), list.end());
  const size_t drawn = std::min(static_cast<size_t>(select) - half, list.size() - near);
  for (size_t i = near; i < near + drawn; ++i)
    std::swap(candidates[i], candidates[i + rng.Below(candidates.size() - i)]);
  candidates.resize(near + drawn);
}

}  // namespace

EpochOrder NeighbourShuffle(const NeighbourTable& table, const ShuffleOptions& options, int64_t epoch) {
  const int64_t n = table.size(), batch = options.batch;
  GRATICULE_CHECK(batch >= 1 && batch <= n && options.select >= 0 && options.give_up >= 1);
  GRATICULE_CHECK(options.share >= 0 && options.share <= 1);
  const auto round = static_cast<uint64_t>(epoch);
  const auto cap = static_cast<int64_t>(std::floor(options.share * static_cast<double>(batch)));
  const KeyedOrder pool(n, options.seed, round);

  EpochOrder order;
  order.records.reserve(static_cast<size_t>(n / batch * batch));
  std::vector<bool> used(static_cast<size_t>(n));
  std::vector<uint32_t> candidates;
  int64_t filled = 0;  // of this batch, from lists
  // Says whether the batch has room for more.
  const auto add = [&](uint32_t record) {
    used[record] = true;
    order.records.push_back(record);
    if (std::ssize(order.records) % batch != 0) return true;
    filled = 0;
    return false;
  };
  int64_t failures = 0;
  for (int64_t turn = 0; std::ssize(order.records) < n / batch * batch; ++turn) {
    const auto record = static_cast<uint32_t>(pool.At(turn));
    if (used[record]) {
      if (++failures == options.give_up && order.gave_up_at < 0) order.gave_up_at = std::ssize(order.records);
      continue;
    }
    failures = 0;
    bool room = add(record);
    if (!room || filled == cap || order.gave_up_at >= 0) continue;
    const auto position = static_cast<uint64_t>(order.records.size() - 1);
    const RngKey key{.epoch = round, .index = position, .purpose = Purpose::kNeighbours};
    Candidates(table.Of(record), options.select, Rng(options.seed, key), candidates);
    for (size_t i = 0; i < candidates.size() && room && filled < cap; ++i) {
      if (used[candidates[i]]) continue;
      ++order.from_lists;
      ++filled;
      room = add(candidates[i]);
    }
  }
  return order;
}

std::string NeighbourShuffleName(const ShuffleOptions& options, int64_t per_record,
                                 const std::string& source) {
  return fmt::format("neighbours-v1:{}x{}of{},share={},give_up={},{}", options.batch, options.select,
                     per_record, options.share, options.give_up, source);
}

}  // namespace graticule
