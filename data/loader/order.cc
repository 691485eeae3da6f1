#include "data/loader/order.h"

#include <array>
#include <bit>

#include "base/error.h"
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

uint64_t KeyedOrder::Encrypt(uint64_t value) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)};
  uint64_t left = value >> half_bits_, right = value & mask;
  for (uint32_t i = 0; i < kFeistelRounds; ++i) {
    const auto word = static_cast<uint32_t>(right);
    const auto noise = Philox4x32({word, i, round_, static_cast<uint32_t>(Purpose::kOrder)}, key)[0];
    const uint64_t mixed = left ^ (noise & mask);
    left = right;
    right = mixed;
  }
  return left << half_bits_ | right;
}

int64_t KeyedOrder::At(int64_t index) const {
  GRATICULE_CHECK(index >= 0 && index < n_, "index outside the order");
  auto value = static_cast<uint64_t>(index);
  do {
    value = Encrypt(value);
  } while (value >= static_cast<uint64_t>(n_));
  return static_cast<int64_t>(value);
}

}  // namespace graticule
