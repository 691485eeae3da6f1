#include "data/loader/order.h"

#include <bit>
#include <cstddef>
#include <utility>

#include "base/error.h"
#include "base/philox.h"
#include "base/rng.h"

namespace graticule {

namespace {
constexpr uint32_t kFeistelRounds = 8;
}

KeyedOrder::KeyedOrder(int64_t n, uint64_t seed, uint64_t round)
    : n_(n), seed_(seed), round_(static_cast<uint32_t>(round)) {
  GRATICULE_CHECK(n >= 1 && n <= (int64_t{1} << 48), "size of an order out of range");
  GRATICULE_CHECK(round <= UINT32_MAX, "round of an order out of range");
  const int bits = std::bit_width(static_cast<uint64_t>(n - 1));
  half_bits_ = bits <= 2 ? 1 : (bits + 1) / 2;
}

template <size_t N>
void KeyedOrder::Encrypt(std::array<uint64_t, N>& values) const {
  const auto mask = static_cast<uint32_t>((uint64_t{1} << half_bits_) - 1);
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)};
  std::array<uint32_t, N> left, right;  // of at most 24 bits
  for (size_t i = 0; i < N; ++i) {
    left[i] = static_cast<uint32_t>(values[i] >> half_bits_);
    right[i] = static_cast<uint32_t>(values[i]) & mask;
  }
  for (uint32_t round = 0; round < kFeistelRounds; ++round) {
    PhiloxWords<N> words;
    words[0] = right;
    words[1].fill(round);
    words[2].fill(round_);
    words[3].fill(static_cast<uint32_t>(Purpose::kOrder));
    Philox4x32(words, key);
    for (size_t i = 0; i < N; ++i) left[i] ^= words[0][i] & mask;
    std::swap(left, right);
  }
  for (size_t i = 0; i < N; ++i) values[i] = uint64_t{left[i]} << half_bits_ | right[i];
}

int64_t KeyedOrder::At(int64_t index) const {
  GRATICULE_CHECK(index >= 0 && index < n_, "index outside the order");
  std::array<uint64_t, 1> value = {static_cast<uint64_t>(index)};
  do Encrypt(value);
  while (value[0] >= static_cast<uint64_t>(n_));
  return static_cast<int64_t>(value[0]);
}

void KeyedOrder::At(int64_t first, std::span<int64_t> out) const {
  constexpr size_t kLanes = 16, kIdle = SIZE_MAX;
  GRATICULE_CHECK(first >= 0 && first + static_cast<int64_t>(out.size()) <= n_, "index outside the order");
  std::array<uint64_t, kLanes> values = {};
  std::array<size_t, kLanes> wanted;  // which index a lane works for
  size_t next = 0, found = 0;
  const auto take_next = [&](size_t lane) {
    wanted[lane] = next < out.size() ? next : kIdle;
    if (wanted[lane] != kIdle) values[lane] = static_cast<uint64_t>(first) + next++;
  };
  for (size_t lane = 0; lane < kLanes; ++lane) take_next(lane);
  while (found < out.size()) {
    Encrypt(values);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      if (wanted[lane] == kIdle || values[lane] >= static_cast<uint64_t>(n_)) continue;
      out[wanted[lane]] = static_cast<int64_t>(values[lane]);
      ++found;
      take_next(lane);
    }
  }
}

}  // namespace graticule
