#include "data/loader/order.h"

#include <bit>
#include <cstddef>
#include <utility>

#include "base/error.h"
#include "base/intrinsics.h"
#include "base/philox.h"
#include "base/rng.h"

namespace graticule {

namespace {

constexpr uint32_t kFeistelRounds = 8;
constexpr auto kPurpose = static_cast<uint32_t>(Purpose::kOrder);

#if defined(__x86_64__)

bool HasAvx512() {
  static const bool has = __builtin_cpu_supports("avx512f");
  return has;
}

#define GRATICULE_AVX512 __attribute__((target("avx512f")))

GRATICULE_AVX512 inline __m512i Xor(__m512i a, __m512i b, __m512i c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

// KeyedOrder::Encrypt of eight values in each of two registers. Words of 32 bits lie in lanes of 64 whose
// upper halves hold anything: the multiplication does not read them, and at last they are masked out.
GRATICULE_AVX512 void EncryptWide(std::array<uint64_t, 16>& values, uint64_t seed, uint32_t pass,
                                  int half_bits) {
  uint64_t keys[kPhiloxRounds][2];
  for (uint32_t r = 0; r < kPhiloxRounds; ++r) {
    keys[r][0] = static_cast<uint32_t>(seed) + r * kPhiloxKeySteps[0];
    keys[r][1] = static_cast<uint32_t>(seed >> 32) + r * kPhiloxKeySteps[1];
  }
  const __m512i mask = _mm512_set1_epi64((int64_t{1} << half_bits) - 1),
                by0 = _mm512_set1_epi64(kPhiloxMultipliers[0]),
                by1 = _mm512_set1_epi64(kPhiloxMultipliers[1]);
  __m512i left[2], right[2];
  for (int h = 0; h < 2; ++h) {
    const __m512i value = _mm512_loadu_si512(&values[8 * h]);
    left[h] = _mm512_srl_epi64(value, _mm_cvtsi32_si128(half_bits));
    right[h] = _mm512_and_si512(value, mask);
  }
  for (uint32_t round = 0; round < kFeistelRounds; ++round) {
    __m512i words[2][4];
    for (int h = 0; h < 2; ++h) {
      words[h][0] = right[h];
      words[h][1] = _mm512_set1_epi64(round);
      words[h][2] = _mm512_set1_epi64(pass);
      words[h][3] = _mm512_set1_epi64(kPurpose);
    }
    for (const auto& key : keys) {
#pragma GCC unroll 2
      for (__m512i* w : {words[0], words[1]}) {
        const __m512i a = _mm512_mul_epu32(w[0], by0), b = _mm512_mul_epu32(w[2], by1);
        w[0] = Xor(_mm512_srli_epi64(b, 32), w[1], _mm512_set1_epi64(static_cast<int64_t>(key[0])));
        w[1] = b;
        w[2] = Xor(_mm512_srli_epi64(a, 32), w[3], _mm512_set1_epi64(static_cast<int64_t>(key[1])));
        w[3] = a;
      }
    }
    for (int h = 0; h < 2; ++h) {
      const __m512i next = _mm512_xor_si512(left[h], _mm512_and_si512(words[h][0], mask));
      left[h] = right[h];
      right[h] = next;
    }
  }
  for (int h = 0; h < 2; ++h) {
    const __m512i high = _mm512_sll_epi64(left[h], _mm_cvtsi32_si128(half_bits));
    _mm512_storeu_si512(&values[8 * h], _mm512_or_si512(high, right[h]));
  }
}

#else

bool HasAvx512() { return false; }
void EncryptWide(std::array<uint64_t, 16>&, uint64_t, uint32_t, int) {}

#endif

}  // namespace

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
    words[3].fill(kPurpose);
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
    HasAvx512() ? EncryptWide(values, seed_, round_, half_bits_) : Encrypt(values);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      if (wanted[lane] == kIdle || values[lane] >= static_cast<uint64_t>(n_)) continue;
      out[wanted[lane]] = static_cast<int64_t>(values[lane]);
      ++found;
      take_next(lane);
    }
  }
}

}  // namespace graticule
