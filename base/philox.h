// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11) for N counters under
// one key, side by side: a block is a chain of forty dependent multiplications and additions, which a CPU
// overlaps only with those of other blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace graticule {

inline constexpr int kPhiloxRounds = 10;
inline constexpr uint32_t kPhiloxMultipliers[2] = {0xD2511F53, 0xCD9E8D57};
inline constexpr uint32_t kPhiloxKeySteps[2] = {0x9E3779B9, 0xBB67AE85};

// Word w of counter i is words[w][i]; becomes the block of that counter.
template <size_t N>
using PhiloxWords = std::array<std::array<uint32_t, N>, 4>;

template <size_t N>
inline void Philox4x32(PhiloxWords<N>& words, std::array<uint32_t, 2> key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    for (size_t i = 0; i < N; ++i) {
      const uint64_t a = uint64_t{kPhiloxMultipliers[0]} * words[0][i];
      const uint64_t b = uint64_t{kPhiloxMultipliers[1]} * words[2][i];
      words[0][i] = static_cast<uint32_t>(b >> 32) ^ words[1][i] ^ key[0];
      words[1][i] = static_cast<uint32_t>(b);
      words[2][i] = static_cast<uint32_t>(a >> 32) ^ words[3][i] ^ key[1];
      words[3][i] = static_cast<uint32_t>(a);
    }
    key[0] += kPhiloxKeySteps[0];
    key[1] += kPhiloxKeySteps[1];
  }
}

}  // namespace graticule
