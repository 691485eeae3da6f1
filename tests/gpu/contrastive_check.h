// Contrastive losses on a GPU beside fp64 on the CPU. Part of cuda_check.
#pragma once

#include <c10/core/Device.h>

namespace graticule {

// Throws Error(kBug) at the first difference; prints the largest ones.
void CheckContrastive(c10::Device device);

}  // namespace graticule
