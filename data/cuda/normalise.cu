#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "data/cuda/normalise.h"

namespace graticule {
namespace {

constexpr int kThreads = 256;

__device__ void Store(float* to, float value) { *to = value; }
__device__ void Store(__nv_bfloat16* to, float value) { *to = __float2bfloat16_rn(value); }

// One thread per pixel: reads its three bytes, writes one value into each plane; writes are coalesced.
template <typename T>
__global__ void Normalise(const uint8_t* __restrict__ pixels, int64_t pixels_total, int64_t plane,
                          ChannelAffine affine, T* __restrict__ out) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t p = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; p < pixels_total; p += step) {
    const int64_t image = p / plane;
    T* const first = out + image * 3 * plane + (p - image * plane);
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      Store(first + c * plane,
            fmaf(static_cast<float>(pixels[3 * p + c]), affine.scale[c], affine.offset[c]));
    }
  }
}

}  // namespace

int LaunchNormalise(const uint8_t* pixels, int64_t batch, int64_t height, int64_t width,
                    const ChannelAffine& affine, void* out, bool bf16, void* stream) {
  const int64_t plane = height * width, total = batch * plane;
  if (total == 0) return cudaSuccess;
  const int64_t wanted = (total + kThreads - 1) / kThreads;
  const int blocks = static_cast<int>(wanted < 65535 ? wanted : 65535);
  const auto on = static_cast<cudaStream_t>(stream);
  if (bf16) {
    Normalise<<<blocks, kThreads, 0, on>>>(pixels, total, plane, affine, static_cast<__nv_bfloat16*>(out));
  } else {
    Normalise<<<blocks, kThreads, 0, on>>>(pixels, total, plane, affine, static_cast<float*>(out));
  }
  return cudaGetLastError();
}

}  // namespace graticule
