#include "models/cpu_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <bit>
#include <vector>

#include "base/error.h"

// Exported by the wheel but without a header of its own; pinned with the version of torch.
#if TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR == 11
#define GRATICULE_ONEDNN_MATMUL 1
namespace at::native {
TORCH_API void mkldnn_matmul(const Tensor& a, const Tensor& b, const Tensor& out, float beta, float alpha);
}
#endif

namespace graticule {
namespace {

constexpr float kSlope = 1.702f;
constexpr int64_t kRowsPerTask = 64;

// e^x for x in [-87, 87]: 2^n times a polynomial on [-ln2/2, ln2/2]; relative error below 2e-7. Written
// without calls or branches so that it vectorises.
[[gnu::always_inline]] inline float Exp(float x) {
  x = x < -87.0f ? -87.0f : x > 87.0f ? 87.0f : x;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t power = (std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound) + 127) << 23;
  return p * std::bit_cast<float>(power);
}

[[gnu::always_inline]] inline float Sigmoid(float x) { return 1.0f / (1.0f + Exp(-x)); }

// One clone per instruction set, chosen when the program starts.
#define GRATICULE_CLONES __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))

GRATICULE_CLONES void ForwardRow(const float* hidden, const float* bias, float* active, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    const float h = hidden[i] + bias[i];
    active[i] = h * Sigmoid(kSlope * h);
  }
}

GRATICULE_CLONES void BackwardRow(const float* __restrict hidden, const float* __restrict bias,
                                  float* __restrict grad, float* __restrict active, float* __restrict sums,
                                  int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    const float h = hidden[i] + bias[i];
    const float s = Sigmoid(kSlope * h);
    const float g = grad[i] * (s * (1.0f + kSlope * h * (1.0f - s)));
    active[i] = h * s;
    grad[i] = g;
    sums[i] += g;
  }
}

}  // namespace

bool UsesCpuKernels(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

void Multiply(const at::Tensor& a, const at::Tensor& b, at::Tensor& out, bool add) {
#ifdef GRATICULE_ONEDNN_MATMUL
  at::native::mkldnn_matmul(a, b, out, add ? 1.0f : 0.0f, 1.0f);
#else
  at::addmm_out(out, out, a, b, add ? 1.0 : 0.0);
#endif
}

at::Tensor Multiply(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  Multiply(a, b, out);
  return out;
}

at::Tensor BiasQuickGelu(const at::Tensor& hidden, const at::Tensor& bias) {
  const int64_t width = bias.numel(), rows = hidden.numel() / width;
  at::Tensor active = at::empty_like(hidden);
  const float *in = hidden.const_data_ptr<float>(), *offset = bias.const_data_ptr<float>();
  float* out = active.mutable_data_ptr<float>();
  at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      ForwardRow(in + row * width, offset, out + row * width, width);
  });
  return active;
}

QuickGeluGradient BiasQuickGeluBackward(const at::Tensor& hidden, const at::Tensor& bias,
                                        at::Tensor& d_active) {
  GRATICULE_CHECK(hidden.is_contiguous() && d_active.is_contiguous());
  const int64_t width = bias.numel(), rows = hidden.numel() / width;
  at::Tensor active = at::empty_like(hidden);
  // One row of column sums per thread, added up in thread order.
  at::Tensor partial = at::zeros({at::get_num_threads(), width}, bias.options());
  const float *in = hidden.const_data_ptr<float>(), *offset = bias.const_data_ptr<float>();
  float *grad = d_active.mutable_data_ptr<float>(), *out = active.mutable_data_ptr<float>(),
        *sums = partial.mutable_data_ptr<float>();
  at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
    float* own = sums + at::get_thread_num() * width;
    for (int64_t row = begin; row < end; ++row)
      BackwardRow(in + row * width, offset, grad + row * width, out + row * width, own, width);
  });
  return {active, partial.sum(0)};
}

}  // namespace graticule
