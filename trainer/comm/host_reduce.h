// Element-wise reductions over host buffers, shared by the in-process communicator and by tests.
//
// into[i] = into[i] op from[i]. bf16 is added in fp32 and rounded to nearest even once per call. NaN
// propagates through sums; for min and max an operand that is NaN wins, so that no rank hides it.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/comm/communicator.h"

namespace graticule {

inline float Bf16ToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t FloatToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);  // stays a quiet NaN
  bits += 0x7fff + ((bits >> 16) & 1);
  return static_cast<uint16_t>(bits >> 16);
}

void ReduceInto(void* into, const void* from, size_t count, DType dtype, ReduceOp op);

}  // namespace graticule
