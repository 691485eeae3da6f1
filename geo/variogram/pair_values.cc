#include "geo/variogram/pair_values.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/intrinsics.h"

namespace graticule {
namespace {

// Of two rows a and b.
struct Products {
  float ab = 0, aa = 0, bb = 0;
};

float HalfToFloat(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16, rest = half & 0x7fffu;
  if (rest >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
  // The exponent moves from bias 15 to 127 by a multiplication, which also gets subnormal numbers right.
  const float magnitude = std::bit_cast<float>(rest << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

template <SafeDType kType>
float One(const uint8_t* row, int64_t k) {
  if constexpr (kType == SafeDType::kF32) {
    float value;
    std::memcpy(&value, row + 4 * k, sizeof value);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, row + 2 * k, sizeof bits);
  if constexpr (kType == SafeDType::kBF16) return std::bit_cast<float>(uint32_t{bits} << 16);
  return HalfToFloat(bits);
}

template <SafeDType kType>
void AddOneByOne(const uint8_t* a, const uint8_t* b, int64_t from, int64_t to, Products& sums) {
  for (int64_t k = from; k < to; ++k) {
    const float x = One<kType>(a, k), y = One<kType>(b, k);
    sums.ab += x * y;
    sums.aa += x * x;
    sums.bb += y * y;
  }
}

#define GRATICULE_WIDE __attribute__((target("avx2,fma,f16c")))

template <SafeDType kType>
GRATICULE_WIDE inline __m256 Eight(const uint8_t* row, int64_t k) {
  if constexpr (kType == SafeDType::kF32) return _mm256_loadu_ps(reinterpret_cast<const float*>(row) + k);
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 2 * k));
  if constexpr (kType == SafeDType::kBF16)
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  return _mm256_cvtph_ps(bits);
}

GRATICULE_WIDE inline float Sum(__m256 v) {
  float lanes[8];
  _mm256_storeu_ps(lanes, v);
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

template <SafeDType kType>
GRATICULE_WIDE Products WideProducts(const uint8_t* a, const uint8_t* b, int64_t dim) {
  __m256 ab = _mm256_setzero_ps(), aa = ab, bb = ab;
  const int64_t whole = dim / 8 * 8;
  for (int64_t k = 0; k < whole; k += 8) {
    const __m256 x = Eight<kType>(a, k), y = Eight<kType>(b, k);
    ab = _mm256_fmadd_ps(x, y, ab);
    aa = _mm256_fmadd_ps(x, x, aa);
    bb = _mm256_fmadd_ps(y, y, bb);
  }
  Products sums{Sum(ab), Sum(aa), Sum(bb)};
  AddOneByOne<kType>(a, b, whole, dim, sums);
  return sums;
}

#undef GRATICULE_WIDE

template <SafeDType kType>
Products ProductsOf(const uint8_t* a, const uint8_t* b, int64_t dim) {
  static const bool wide =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  if (wide) return WideProducts<kType>(a, b, dim);
  Products sums;
  AddOneByOne<kType>(a, b, 0, dim, sums);
  return sums;
}

}  // namespace

double CosineDistance(const uint8_t* a, const uint8_t* b, int64_t dim, SafeDType dtype) {
  GRATICULE_CHECK(dtype == SafeDType::kF16 || dtype == SafeDType::kBF16 || dtype == SafeDType::kF32);
  const Products sums = dtype == SafeDType::kF32    ? ProductsOf<SafeDType::kF32>(a, b, dim)
                        : dtype == SafeDType::kBF16 ? ProductsOf<SafeDType::kBF16>(a, b, dim)
                                                    : ProductsOf<SafeDType::kF16>(a, b, dim);
  const double lengths = std::sqrt(double{sums.aa} * double{sums.bb});
  return lengths > 0 ? 1 - double{sums.ab} / lengths : 1;
}

}  // namespace graticule
