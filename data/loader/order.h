// The order of an epoch: a keyed pseudo-random permutation of [0, n), computed for one index at a time.
//
// At(i) is a bijection of [0, n) for every (seed, round), needs no memory and does not know about ranks. It
// is a balanced Feistel network of eight rounds over the smallest even number of bits that holds n - 1, whose
// round function is Philox4x32-10; values >= n are sent through again (cycle walking). The algorithm is
// stored behaviour: a checkpoint names it, and a changed one must get a new name. Immutable value,
// thread-safe. n in [1, 2^48]. Source: Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (CT-RSA
// 2002).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace graticule {

inline constexpr const char* kOrderName = "feistel-v1";

class KeyedOrder {
 public:
  // round: the epoch, or the number of the pass over the dataset; < 2^32.
  KeyedOrder(int64_t n, uint64_t seed, uint64_t round);
  int64_t At(int64_t index) const;  // index in [0, n)
  // At(first), At(first + 1), ... in a third of the time and less: sixteen chains of multiplications at once.
  void At(int64_t first, std::span<int64_t> out) const;
  int64_t size() const { return n_; }

 private:
  template <size_t N>
  void Encrypt(std::array<uint64_t, N>& values) const;
  int64_t n_;
  uint64_t seed_;
  uint32_t round_;
  int half_bits_;
};

}  // namespace graticule
