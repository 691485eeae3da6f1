// The inner loops of Resizer: portable, AVX2 and AVX-512. Internal to data/image.
//
// Pixels are RGB bytes. `across` and `down` come from ComputeAxisWeights. The wide loops read up to 32 bytes
// past the end of a row: callers provide kSlack readable bytes there.
#pragma once

#include <cstdint>

#include "data/image/resize.h"

namespace graticule::kernels {

inline constexpr int kWeightBits = 22;
inline constexpr int kLowBits = 11;
inline constexpr int kSlack = 64;  // bytes readable after the end of every buffer

bool HasAvx2();
bool HasAvx512();  // with BW and VNNI

// One row of `width` output pixels.
void RowPortable(const uint8_t* in, const AxisWeights& across, int width, uint8_t* out);
// Two (four) rows at once, the same weights for all.
void RowsAvx2(const uint8_t* const in[2], const AxisWeights& across, int width, uint8_t* const out[2]);
void RowsAvx512(const uint8_t* const in[4], const AxisWeights& across, int width, uint8_t* const out[4]);

// Output row i of `bytes` bytes out of rows `stride` apart, the first of which is input row 0.
void ColumnPortable(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes,
                    uint8_t* out);
void ColumnAvx2(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes, uint8_t* out);
void ColumnAvx512(const uint8_t* in, int64_t stride, const AxisWeights& down, int i, int bytes, uint8_t* out);

}  // namespace graticule::kernels
