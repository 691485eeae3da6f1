// Random initial weights, a pure function of (seed, parameter name, element): they do not depend on the order
// in which a model is built, nor on the number of threads. Values are drawn with base/rng.h in blocks of
// 4,096.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

namespace graticule {

// tensor: contiguous fp32 on the CPU, overwritten.
void FillNormal(at::Tensor& tensor, double standard_deviation, uint64_t seed, std::string_view name);
void FillUniform(at::Tensor& tensor, double bound, uint64_t seed, std::string_view name);  // [-bound, bound)

}  // namespace graticule
