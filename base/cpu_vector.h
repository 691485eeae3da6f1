// Sixteen floats at a time in plain C++, for the CPU kernels of models/ and losses/: GCC's vector extension,
// compiled once per instruction set and chosen when the program starts. Values in memory are fp32, or bf16 as its 16
// bits; arithmetic is fp32.
//
// Everything is inlined into functions marked GRATICULE_CLONES: vectors are passed by reference, because
// their calling convention differs between the clones.
#pragma once

#include <cstdint>

#define GRATICULE_INLINE [[gnu::always_inline]] inline
#define GRATICULE_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3")))

namespace graticule {

constexpr int64_t kLanes = 16;
typedef float Vec __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t IntVec __attribute__((vector_size(64)));
typedef uint32_t BitsVec __attribute__((vector_size(64)));
typedef uint16_t HalfVec __attribute__((vector_size(32), aligned(2), may_alias));

// e^x, clamped to [-87, 87]: 2^n times a polynomial on [-ln2/2, ln2/2]; relative error below 2e-7.
GRATICULE_INLINE void Exp(const Vec& in, Vec& out) {
  const Vec low = Vec{} - 87.0f, high = Vec{} + 87.0f;
  Vec x = in < low ? low : in;
  x = x > high ? high : x;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const Vec shifted = x * 1.44269504f + kRound;
  const Vec n = shifted - kRound;
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const IntVec power = ((IntVec)shifted - 0x4B400000 + 127) << 23;
  out = p * (Vec)power;
}

GRATICULE_INLINE void Load(const float* from, Vec& to) { to = *reinterpret_cast<const Vec*>(from); }
GRATICULE_INLINE void Load(const uint16_t* from, Vec& to) {
  to = (Vec)(__builtin_convertvector(*reinterpret_cast<const HalfVec*>(from), BitsVec) << 16);
}
GRATICULE_INLINE void Store(float* to, const Vec& value) { *reinterpret_cast<Vec*>(to) = value; }
// Rounded to nearest even; a NaN stays one.
GRATICULE_INLINE void Store(uint16_t* to, const Vec& value) {
  const BitsVec bits = (BitsVec)value, rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const BitsVec half = value == value ? rounded : (bits >> 16) | 0x40;
  *reinterpret_cast<HalfVec*>(to) = __builtin_convertvector(half, HalfVec);
}

}  // namespace graticule
