#include "data/image/resize_kernels.h"

#include <algorithm>
#include <cstring>

#include "base/intrinsics.h"

namespace graticule::kernels {

namespace {

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

// Writes four bytes where the next pixel overwrites the fourth, three at the end of a row.
inline void StorePixel(int32_t pixel, uint8_t* out, bool more) {
  if (more) {
    std::memcpy(out, &pixel, 4);
  } else {
    std::memcpy(out, &pixel, 3);
  }
}

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

GRATICULE_AVX2 void RowsAvx2(const uint8_t* const in[2], const AxisWeights& across, int width,
                             uint8_t* const out[2]) {
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
    const uint8_t* a = in[0] + start;
    const uint8_t* b = in[1] + start;
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
    StorePixel(_mm256_extract_epi32(bytes, 0), out[0] + 3 * i, i + 1 < width);
    StorePixel(_mm256_extract_epi32(bytes, 4), out[1] + 3 * i, i + 1 < width);
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

// The same with registers twice as wide; VNNI multiplies and accumulates in one instruction.
#define GRATICULE_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace {

GRATICULE_AVX512 inline __m128i ToBytes(__m512i high, __m512i low) {
  const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high, kLowBits), low);
  const __m512i value = _mm512_srai_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(kHalf)), kWeightBits);
  return _mm512_cvtusepi32_epi8(_mm512_max_epi32(value, _mm512_setzero_si512()));
}

GRATICULE_AVX512 inline void Accumulate(__m512i values, int32_t high_pair, int32_t low_pair, __m512i& high,
                                        __m512i& low) {
  high = _mm512_dpwssd_epi32(high, values, _mm512_set1_epi32(high_pair));
  low = _mm512_dpwssd_epi32(low, values, _mm512_set1_epi32(low_pair));
}

GRATICULE_AVX512 inline __m128i Load16(const uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

}  // namespace

bool HasAvx512() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  return has;
}

GRATICULE_AVX512 void RowsAvx512(const uint8_t* const in[4], const AxisWeights& across, int width,
                                 uint8_t* const out[4]) {
  const __m512i taps01 =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m512i taps23 =
      _mm512_broadcast_i32x4(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  const int pairs = across.taps / 2;
  for (int i = 0; i < width; ++i) {
    const int32_t* high_pair = across.high_pairs.data() + static_cast<int64_t>(i) * pairs;
    const int32_t* low_pair = across.low_pairs.data() + static_cast<int64_t>(i) * pairs;
    ptrdiff_t at = ptrdiff_t{3} * across.first[i];
    __m512i high = _mm512_setzero_si512(), low = high, high2 = high, low2 = high;
    for (int t = 0; t < across.count[i]; t += 4, at += 12, high_pair += 2, low_pair += 2) {
      // Masked loads put each row into its lane without occupying the shuffle unit.
      __m512i pixels = _mm512_broadcast_i32x4(Load16(in[0] + at));
      pixels = _mm512_mask_broadcast_i32x4(pixels, 0x00F0, Load16(in[1] + at));
      pixels = _mm512_mask_broadcast_i32x4(pixels, 0x0F00, Load16(in[2] + at));
      pixels = _mm512_mask_broadcast_i32x4(pixels, 0xF000, Load16(in[3] + at));
      Accumulate(_mm512_shuffle_epi8(pixels, taps01), high_pair[0], low_pair[0], high, low);
      Accumulate(_mm512_shuffle_epi8(pixels, taps23), high_pair[1], low_pair[1], high2, low2);
    }
    const __m128i bytes = ToBytes(_mm512_add_epi32(high, high2), _mm512_add_epi32(low, low2));
    StorePixel(_mm_cvtsi128_si32(bytes), out[0] + 3 * i, i + 1 < width);
    StorePixel(_mm_extract_epi32(bytes, 1), out[1] + 3 * i, i + 1 < width);
    StorePixel(_mm_extract_epi32(bytes, 2), out[2] + 3 * i, i + 1 < width);
    StorePixel(_mm_extract_epi32(bytes, 3), out[3] + 3 * i, i + 1 < width);
  }
}

GRATICULE_AVX512 void ColumnAvx512(const uint8_t* in, int64_t stride, const AxisWeights& down, int i,
                                   int bytes, uint8_t* out) {
  const int pairs = down.taps / 2;
  const int count = down.count[i];
  const int32_t* high_pair = down.high_pairs.data() + static_cast<int64_t>(i) * pairs;
  const int32_t* low_pair = down.low_pairs.data() + static_cast<int64_t>(i) * pairs;
  for (int x = 0; x < bytes; x += 32) {
    __m512i high = _mm512_setzero_si512(), low = high, high2 = high, low2 = high;
    for (int p = 0; 2 * p < count; ++p) {
      const uint8_t* a = in + stride * 2 * p + x;
      const uint8_t* b = 2 * p + 1 < count ? a + stride : a;
      const __m256i row_a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a));
      const __m256i row_b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
      Accumulate(_mm512_cvtepu8_epi16(_mm256_unpacklo_epi8(row_a, row_b)), high_pair[p], low_pair[p], high,
                 low);
      Accumulate(_mm512_cvtepu8_epi16(_mm256_unpackhi_epi8(row_a, row_b)), high_pair[p], low_pair[p], high2,
                 low2);
    }
    // Bytes 0-7 and 16-23 on one side, 8-15 and 24-31 on the other.
    const __m128i even = ToBytes(high, low), odd = ToBytes(high2, low2);
    alignas(32) uint8_t block[32];
    _mm_store_si128(reinterpret_cast<__m128i*>(block), _mm_unpacklo_epi64(even, odd));
    _mm_store_si128(reinterpret_cast<__m128i*>(block + 16), _mm_unpackhi_epi64(even, odd));
    std::memcpy(out + x, block, static_cast<size_t>(bytes - x < 32 ? bytes - x : 32));
  }
}

#else

bool HasAvx2() { return false; }
bool HasAvx512() { return false; }

void RowsAvx2(const uint8_t* const in[2], const AxisWeights& across, int width, uint8_t* const out[2]) {
  for (int k = 0; k < 2; ++k) RowPortable(in[k], across, width, out[k]);
}

void RowsAvx512(const uint8_t* const in[4], const AxisWeights& across, int width, uint8_t* const out[4]) {
  for (int k = 0; k < 4; ++k) RowPortable(in[k], across, width, out[k]);
}

void ColumnAvx2(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes, uint8_t* out) {
  ColumnPortable(in, stride, down, i, bytes, out);
}

void ColumnAvx512(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes,
                  uint8_t* out) {
  ColumnPortable(in, stride, down, i, bytes, out);
}

#endif

}  // namespace graticule::kernels
