#include "data/image/resize_vbmi.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/intrinsics.h"
#include "data/image/resize_kernels.h"

namespace graticule::kernels {

namespace {

// weight = bytes[0] + 2^8 bytes[1] + 2^16 bytes[2], each signed, as the byte multiplier takes them.
inline std::array<int8_t, 3> SplitWeight(int32_t weight) {
  const auto low = static_cast<int8_t>(weight);
  const int32_t rest = (weight - low) >> 8;
  const auto middle = static_cast<int8_t>(rest);
  return {low, middle, static_cast<int8_t>((rest - middle) >> 8)};
}

}  // namespace

bool MakeBlockWeights(const AxisWeights& across, int width, BlockWeights& out) {
  constexpr int kOutputs = BlockWeights::kOutputs;
  out.blocks = (width + kOutputs - 1) / kOutputs;
  out.quads = 0;
  for (int i = 0; i < width; ++i) out.quads = std::max(out.quads, (across.count[i] + 3) / 4);
  out.wide = false;
  out.base.resize(static_cast<size_t>(out.blocks));
  for (int b = 0; b < out.blocks; ++b) {
    const int begin = b * kOutputs, end = std::min(width, begin + kOutputs);
    out.base[b] = across.first[begin];
    int span = 0;
    for (int i = begin; i < end; ++i) span = std::max(span, across.first[i] + across.count[i] - out.base[b]);
    if (span > 128) return false;
    out.wide |= span > 64;
  }
  const size_t entries = static_cast<size_t>(out.blocks) * out.quads;
  out.index.assign(entries * 64, 0);
  out.weight.assign(entries * 3 * 64, 0);
  for (int i = 0; i < width; ++i) {
    const int b = i / kOutputs, j = i % kOutputs, from = across.first[i] - out.base[b];
    const int32_t* weight = across.weight.data() + static_cast<size_t>(i) * across.taps;
    for (int t = 0; t < across.count[i]; ++t) {
      const size_t entry = static_cast<size_t>(b) * out.quads + t / 4;
      const size_t at = static_cast<size_t>(4 * j + t % 4);
      out.index[entry * 64 + at] = static_cast<uint8_t>(from + t);
      const std::array<int8_t, 3> bytes = SplitWeight(weight[t]);
      for (size_t k = 0; k < 3; ++k) out.weight[(entry * 3 + k) * 64 + at] = bytes[k];
    }
  }
  return true;
}

#if defined(__x86_64__)

#define GRATICULE_VBMI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")))

namespace {

using Permutation = std::array<uint8_t, 64>;

// Channel c of 64 pixels out of 192 bytes a, b, d: first out of a and b, then that and d.
struct Apart {
  Permutation ab[3]{}, d[3]{};
  constexpr Apart() {
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 64; ++p) {
        const int at = 3 * p + c;
        ab[c][p] = static_cast<uint8_t>(at < 128 ? at : 0);
        d[c][p] = static_cast<uint8_t>(at < 128 ? p : 64 + at - 128);
      }
    }
  }
};
// Sixteen pixels out of four lanes of four reds, four greens and four blues.
struct Together {
  Permutation pixels{};
  constexpr Together() {
    for (int j = 0; j < 48; ++j) {
      const int pixel = j / 3, channel = j % 3;
      pixels[j] = static_cast<uint8_t>(16 * (pixel / 4) + 4 * channel + pixel % 4);
    }
  }
};
alignas(64) constexpr Apart kApart;
alignas(64) constexpr Together kTogether;

// The first n bytes, n at most 64; none for a negative n.
inline uint64_t Bytes(int n) { return n >= 64 ? ~uint64_t{0} : n <= 0 ? 0 : (uint64_t{1} << n) - 1; }

GRATICULE_VBMI inline __m512i Load(const Permutation& p) { return _mm512_loadu_si512(p.data()); }

// Where the sum of a weight's lowest bytes begins: half a unit, so that it is rounded.
GRATICULE_VBMI inline __m512i Half() { return _mm512_set1_epi32(1 << (kWeightBits - 1)); }

// The weighted sum out of those of its weights' bytes, in whole units.
GRATICULE_VBMI inline __m512i Whole(__m512i sum0, __m512i sum1, __m512i sum2) {
  const __m512i high = _mm512_add_epi32(sum1, _mm512_slli_epi32(sum2, 8));
  return _mm512_srai_epi32(_mm512_add_epi32(sum0, _mm512_slli_epi32(high, 8)), kWeightBits);
}

template <bool kWide>
GRATICULE_VBMI inline void RowsOfBlocks(const uint8_t* const planes[3], const BlockWeights& weights,
                                        uint8_t* out) {
  constexpr int kOutputs = BlockWeights::kOutputs;
  const uint8_t* index = weights.index.data();
  const int8_t* weight = weights.weight.data();
  const __m512i together = Load(kTogether.pixels);
  for (int b = 0; b < weights.blocks; ++b) {
    __m512i near[3], far[3], sum0[3], sum1[3], sum2[3];
#pragma GCC unroll 3
    for (int c = 0; c < 3; ++c) {
      near[c] = _mm512_loadu_si512(planes[c] + weights.base[b]);
      if (kWide) far[c] = _mm512_loadu_si512(planes[c] + weights.base[b] + 64);
      sum0[c] = Half();
      sum1[c] = sum2[c] = _mm512_setzero_si512();
    }
    for (int q = 0; q < weights.quads; ++q, index += 64, weight += 3 * 64) {
      const __m512i which = _mm512_loadu_si512(index);
      const __m512i weight0 = _mm512_loadu_si512(weight), weight1 = _mm512_loadu_si512(weight + 64),
                    weight2 = _mm512_loadu_si512(weight + 128);
#pragma GCC unroll 3  // else the sums live in memory
      for (int c = 0; c < 3; ++c) {
        const __m512i values = kWide ? _mm512_permutex2var_epi8(near[c], which, far[c])
                                     : _mm512_permutexvar_epi8(which, near[c]);
        sum0[c] = _mm512_dpbusd_epi32(sum0[c], values, weight0);
        sum1[c] = _mm512_dpbusd_epi32(sum1[c], values, weight1);
        sum2[c] = _mm512_dpbusd_epi32(sum2[c], values, weight2);
      }
    }
    const __m512i blue = Whole(sum0[2], sum1[2], sum2[2]);
    const __m512i rg = _mm512_packs_epi32(Whole(sum0[0], sum1[0], sum2[0]), Whole(sum0[1], sum1[1], sum2[1]));
    const __m512i lanes = _mm512_packus_epi16(rg, _mm512_packs_epi32(blue, blue));
    // What it writes too much is written over by the next block, or the next row.
    _mm512_storeu_si512(out + ptrdiff_t{3} * kOutputs * b, _mm512_permutexvar_epi8(together, lanes));
  }
}

}  // namespace

bool HasVbmi() {
  static const bool has = HasAvx512() && __builtin_cpu_supports("avx512vbmi");
  return has;
}

GRATICULE_VBMI void TakeApart(const uint8_t* rgb, int pixels, uint8_t* const planes[3]) {
  for (int p = 0; p < pixels; p += 64) {
    const int left = 3 * (pixels - p);
    const uint8_t* from = rgb + ptrdiff_t{3} * p;
    const __m512i a = _mm512_maskz_loadu_epi8(Bytes(left), from);
    const __m512i b = _mm512_maskz_loadu_epi8(Bytes(left - 64), from + 64);
    const __m512i d = _mm512_maskz_loadu_epi8(Bytes(left - 128), from + 128);
    for (int c = 0; c < 3; ++c) {
      const __m512i ab = _mm512_permutex2var_epi8(a, Load(kApart.ab[c]), b);
      _mm512_storeu_si512(planes[c] + p, _mm512_permutex2var_epi8(ab, Load(kApart.d[c]), d));
    }
  }
}

void RowOfPlanes(const uint8_t* const planes[3], const BlockWeights& blocks, uint8_t* out) {
  blocks.wide ? RowsOfBlocks<true>(planes, blocks, out) : RowsOfBlocks<false>(planes, blocks, out);
}

GRATICULE_VBMI void ColumnOfBytes(const uint8_t* in, int64_t stride, const AxisWeights& down, int i,
                                  int bytes, uint8_t* out) {
  const int count = down.count[i], quads = (count + 3) / 4;
  const int32_t* weight = down.weight.data() + static_cast<int64_t>(i) * down.taps;
  int32_t split[kMaxColumnTaps / 4][3];
  for (int q = 0; q < quads; ++q) {
    int8_t packed[3][4];
    for (int t = 0; t < 4; ++t) {
      const std::array<int8_t, 3> parts = SplitWeight(4 * q + t < count ? weight[4 * q + t] : 0);
      for (int k = 0; k < 3; ++k) packed[k][t] = parts[k];
    }
    std::memcpy(split[q], packed, sizeof packed);
  }
  for (int x = 0; x < bytes; x += 64) {
    const uint64_t here = Bytes(bytes - x);
    __m512i sum0[4], sum1[4], sum2[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      sum0[k] = Half();
      sum1[k] = sum2[k] = _mm512_setzero_si512();
    }
    for (int q = 0; q < quads; ++q) {
      __m512i row[4];
#pragma GCC unroll 4
      for (int t = 0; t < 4; ++t) {  // a row that has weight 0 may be any: the last one
        const int r = std::min(4 * q + t, count - 1);
        row[t] = _mm512_maskz_loadu_epi8(here, in + stride * r + x);
      }
      const __m512i ab_low = _mm512_unpacklo_epi8(row[0], row[1]),
                    ab_high = _mm512_unpackhi_epi8(row[0], row[1]);
      const __m512i cd_low = _mm512_unpacklo_epi8(row[2], row[3]),
                    cd_high = _mm512_unpackhi_epi8(row[2], row[3]);
      const __m512i values[4] = {_mm512_unpacklo_epi16(ab_low, cd_low), _mm512_unpackhi_epi16(ab_low, cd_low),
                                 _mm512_unpacklo_epi16(ab_high, cd_high),
                                 _mm512_unpackhi_epi16(ab_high, cd_high)};
      const __m512i weight0 = _mm512_set1_epi32(split[q][0]), weight1 = _mm512_set1_epi32(split[q][1]),
                    weight2 = _mm512_set1_epi32(split[q][2]);
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        sum0[k] = _mm512_dpbusd_epi32(sum0[k], values[k], weight0);
        sum1[k] = _mm512_dpbusd_epi32(sum1[k], values[k], weight1);
        sum2[k] = _mm512_dpbusd_epi32(sum2[k], values[k], weight2);
      }
    }
    // Packing undoes the order that unpacking made, lane by lane.
    const __m512i low =
        _mm512_packs_epi32(Whole(sum0[0], sum1[0], sum2[0]), Whole(sum0[1], sum1[1], sum2[1]));
    const __m512i high =
        _mm512_packs_epi32(Whole(sum0[2], sum1[2], sum2[2]), Whole(sum0[3], sum1[3], sum2[3]));
    _mm512_mask_storeu_epi8(out + x, here, _mm512_packus_epi16(low, high));
  }
}

#else

bool HasVbmi() { return false; }
void TakeApart(const uint8_t*, int, uint8_t* const[3]) {}
void RowOfPlanes(const uint8_t* const[3], const BlockWeights&, uint8_t*) {}
void ColumnOfBytes(const uint8_t*, int64_t, const AxisWeights&, int, int, uint8_t*) {}

#endif

}  // namespace graticule::kernels
