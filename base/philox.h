// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11) for N counters under
// one key, side by side: a block is a chain of forty dependent multiplications and additions, which a CPU
// overlaps only with those of other blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace graticule {

// Word w of counter i is words[w][i]; becomes the block of that counter.
template <size_t N>
using PhiloxWords = std::array<std::array<uint32_t, N>, 4>;

template <size_t N>
inline void Philox4x32(PhiloxWords<N>& words, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    for (size_t i = 0; i < N; ++i) {
      const uint64_t a = uint64_t{0xD2511F53} * words[0][i];
      const uint64_t b = uint64_t{0xCD9E8D57} * words[2][i];
      words[0][i] = static_cast<uint32_t>(b >> 32) ^ words[1][i] ^ key[0];
      words[1][i] = static_cast<uint32_t>(b);
      words[2][i] = static_cast<uint32_t>(a >> 32) ^ words[3][i] ^ key[1];
      words[3][i] = static_cast<uint32_t>(a);
    }
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
}

}  // namespace graticule
