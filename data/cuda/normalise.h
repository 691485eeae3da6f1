// u8 images to normalised floats on the device, and back to the layout that the towers read. Part of the CUDA
// module.
//
// out[b, c, y, x] = (pixel[b, y, x, c] / 255 - mean[c]) / deviation[c], computed in fp32 as pixel * scale +
// offset and rounded once for bf16. Both buffers are device memory. Asynchronous on `stream`.
#pragma once

#include <cstdint>

namespace graticule {

struct ChannelAffine {
  float scale[3], offset[3];
};

// Returns a cudaError_t. stream is a cudaStream_t.
int LaunchNormalise(const uint8_t* pixels_BHWC, int64_t batch, int64_t height, int64_t width,
                    const ChannelAffine& affine, void* out_B3HW, bool bf16, void* stream);

}  // namespace graticule
