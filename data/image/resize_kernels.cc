#include "data/image/resize_kernels.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace graticule::kernels {

namespace {

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

uint8_t ToByte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

}  // namespace

void RowPortable(const uint8_t* in, const AxisWeights& across, int width, uint8_t* out) {
  for (int i = 0; i < width; ++i, out += 3) {
    const int32_t* weight = across.weight.data() + static_cast<int64_t>(i) * across.taps;
    const uint8_t* pixel = in + ptrdiff_t{3} * across.first[i];
    int32_t sum[3] = {kHalf, kHalf, kHalf};
    for (int t = 0; t < across.count[i]; ++t, pixel += 3) {
      for (int c = 0; c < 3; ++c) sum[c] += weight[t] * pixel[c];
    }
    for (int c = 0; c < 3; ++c) out[c] = ToByte(sum[c]);
  }
}

void ColumnPortable(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes,
                    uint8_t* out) {
  const int32_t* weight = down.weight.data() + static_cast<int64_t>(i) * down.taps;
  for (int x = 0; x < bytes; ++x) {
    int32_t sum = kHalf;
    for (int t = 0; t < down.count[i]; ++t) sum += weight[t] * in[stride * t + x];
    out[x] = ToByte(sum);
  }
}

#if defined(__x86_64__)

// A weight of 23 bits does not fit the 16-bit multiplier, so it is split: weight = high * 2^11 + low. Two
// multiply-adds on pairs of taps then give the exact 32-bit sum.
#define GRATICULE_AVX2 __attribute__((target("avx2")))

namespace {

GRATICULE_AVX2 inline __m256i Rounded(__m256i high, __m256i low) {
  const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low);
  return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(kHalf)), kWeightBits);
}

GRATICULE_AVX2 inline void MultiplyAdd(__m256i values, int32_t high_pair, int32_t low_pair, __m256i& high,
                                       __m256i& low) {
  high = _mm256_add_epi32(high, _mm256_madd_epi16(values, _mm256_set1_epi32(high_pair)));
  low = _mm256_add_epi32(low, _mm256_madd_epi16(values, _mm256_set1_epi32(low_pair)));
}

}  // namespace

bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}

GRATICULE_AVX2 void RowPairAvx2(const uint8_t* in_a, const uint8_t* in_b, const AxisWeights& across,
                                int width, uint8_t* out_a, uint8_t* out_b) {
  // Out of four RGB pixels, those of taps 0 and 1 (then 2 and 3) side by side, channel by channel, as 16-bit
  // words.
  const __m256i taps01 =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m256i taps23 =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  const int pairs = across.taps / 2;
  for (int i = 0; i < width; ++i) {
    const int32_t* high_pair = across.high_pairs.data() + static_cast<int64_t>(i) * pairs;
    const int32_t* low_pair = across.low_pairs.data() + static_cast<int64_t>(i) * pairs;
    const ptrdiff_t start = ptrdiff_t{3} * across.first[i];
    const uint8_t* a = in_a + start;
    const uint8_t* b = in_b + start;
    __m256i high = _mm256_setzero_si256(), low = high, high2 = high, low2 = high;
    for (int t = 0; t < across.count[i]; t += 4, a += 12, b += 12, high_pair += 2, low_pair += 2) {
      const __m256i pixels = _mm256_inserti128_si256(
          _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a))),
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)), 1);
      MultiplyAdd(_mm256_shuffle_epi8(pixels, taps01), high_pair[0], low_pair[0], high, low);
      MultiplyAdd(_mm256_shuffle_epi8(pixels, taps23), high_pair[1], low_pair[1], high2, low2);
    }
    const __m256i sum = Rounded(_mm256_add_epi32(high, high2), _mm256_add_epi32(low, low2));
    const __m256i words = _mm256_packs_epi32(sum, sum);
    const __m256i bytes = _mm256_packus_epi16(words, words);
    const int32_t pixel_a = _mm256_extract_epi32(bytes, 0), pixel_b = _mm256_extract_epi32(bytes, 4);
    // Four bytes where the next pixel overwrites the fourth, three at the end of the row.
    const size_t size = i + 1 < width ? 4 : 3;
    if (size == 4) {
      std::memcpy(out_a + 3 * i, &pixel_a, 4);
      std::memcpy(out_b + 3 * i, &pixel_b, 4);
    } else {
      std::memcpy(out_a + 3 * i, &pixel_a, 3);
      std::memcpy(out_b + 3 * i, &pixel_b, 3);
    }
  }
}

GRATICULE_AVX2 void ColumnAvx2(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes,
                               uint8_t* out) {
  const int pairs = down.taps / 2;
  const int count = down.count[i];
  const int32_t* high_pair = down.high_pairs.data() + static_cast<int64_t>(i) * pairs;
  const int32_t* low_pair = down.low_pairs.data() + static_cast<int64_t>(i) * pairs;
  for (int x = 0; x < bytes; x += 16) {
    __m256i high = _mm256_setzero_si256(), low = high, high2 = high, low2 = high;
    for (int p = 0; 2 * p < count; ++p) {
      const uint8_t* a = in + stride * 2 * p + x;
      const uint8_t* b = 2 * p + 1 < count ? a + stride : a;  // weight 0 there: any readable row will do
      const __m128i row_a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
      const __m128i row_b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
      const __m256i first = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(row_a, row_b));
      const __m256i second = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(row_a, row_b));
      MultiplyAdd(first, high_pair[p], low_pair[p], high, low);
      MultiplyAdd(second, high_pair[p], low_pair[p], high2, low2);
    }
    // Bytes 0-3 | 4-7 and 8-11 | 12-15, lane by lane: packing interleaves them, one permutation restores
    // order.
    const __m256i words = _mm256_packs_epi32(Rounded(high, low), Rounded(high2, low2));
    const __m256i packed = _mm256_packus_epi16(words, words);
    const __m256i ordered = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5));
    const __m128i result = _mm256_castsi256_si128(ordered);
    if (x + 16 <= bytes) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x), result);
    } else {
      alignas(16) uint8_t tail[16];
      _mm_store_si128(reinterpret_cast<__m128i*>(tail), result);
      std::memcpy(out + x, tail, static_cast<size_t>(bytes - x));
    }
  }
}

#else

bool HasAvx2() { return false; }

void RowPairAvx2(const uint8_t* in_a, const uint8_t* in_b, const AxisWeights& across, int width,
                 uint8_t* out_a, uint8_t* out_b) {
  RowPortable(in_a, across, width, out_a);
  RowPortable(in_b, across, width, out_b);
}

void ColumnAvx2(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes, uint8_t* out) {
  ColumnPortable(in, stride, down, i, bytes, out);
}

#endif

}  // namespace graticule::kernels
