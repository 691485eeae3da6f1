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

#define GRATICULE_INLINE [[gnu::always_inline]] inline

// e^x for x in [-87, 87]: 2^n times a polynomial on [-ln2/2, ln2/2]; relative error below 2e-7. Written
// without calls or branches so that it vectorises.
GRATICULE_INLINE float Exp(float x) {
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

GRATICULE_INLINE float Sigmoid(float x) { return 1.0f / (1.0f + Exp(-x)); }

// One clone per instruction set, chosen when the program starts.
#define GRATICULE_CLONES __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))

// bf16 travels as its 16 bits: the upper half of a float, rounded to nearest even.
GRATICULE_INLINE float Load(const float& value) { return value; }
GRATICULE_INLINE float Load(const uint16_t& bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
GRATICULE_INLINE void Store(float& to, float value) { to = value; }
GRATICULE_INLINE void Store(uint16_t& to, float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  to = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

template <typename T>
GRATICULE_INLINE void ForwardLoop(const T* hidden, const T* bias, T* active, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    const float h = Load(hidden[i]) + Load(bias[i]);
    Store(active[i], h * Sigmoid(kSlope * h));
  }
}

template <typename T>
GRATICULE_INLINE void BackwardLoop(const T* __restrict hidden, const T* __restrict bias, T* __restrict grad,
                                   T* __restrict active, float* __restrict sums, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    const float h = Load(hidden[i]) + Load(bias[i]);
    const float s = Sigmoid(kSlope * h);
    const float g = Load(grad[i]) * (s * (1.0f + kSlope * h * (1.0f - s)));
    Store(active[i], h * s);
    Store(grad[i], g);
    sums[i] += g;
  }
}

GRATICULE_CLONES void ForwardRow(const float* h, const float* b, float* a, int64_t width) {
  ForwardLoop(h, b, a, width);
}
GRATICULE_CLONES void ForwardRowHalf(const uint16_t* h, const uint16_t* b, uint16_t* a, int64_t width) {
  ForwardLoop(h, b, a, width);
}
GRATICULE_CLONES void BackwardRow(const float* h, const float* b, float* g, float* a, float* sums,
                                  int64_t width) {
  BackwardLoop(h, b, g, a, sums, width);
}
GRATICULE_CLONES void BackwardRowHalf(const uint16_t* h, const uint16_t* b, uint16_t* g, uint16_t* a,
                                      float* sums, int64_t width) {
  BackwardLoop(h, b, g, a, sums, width);
}

// Row by row over all threads; `row(r, thread)`.
template <typename Row>
void ForRows(int64_t rows, const Row& row) {
  at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
    const int64_t thread = at::get_thread_num();
    for (int64_t r = begin; r < end; ++r) row(r, thread);
  });
}

template <typename T>
T* Data(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

}  // namespace

bool UsesCpuKernels(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

void Multiply(const at::Tensor& a, const at::Tensor& b, at::Tensor& out, bool add) {
#ifdef GRATICULE_ONEDNN_MATMUL
  if (out.scalar_type() == at::kFloat) {
    at::native::mkldnn_matmul(a, b, out, add ? 1.0f : 0.0f, 1.0f);
    return;
  }
#endif
  if (add) {
    at::addmm_out(out, out, a, b);
  } else {
    at::mm_out(out, a, b);
  }
}

at::Tensor Multiply(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  Multiply(a, b, out);
  return out;
}

at::Tensor BiasQuickGelu(const at::Tensor& hidden, const at::Tensor& bias) {
  GRATICULE_CHECK(hidden.is_contiguous() && bias.is_contiguous());
  const int64_t width = bias.numel(), rows = hidden.numel() / width;
  const at::Tensor active = at::empty_like(hidden);
  if (hidden.scalar_type() == at::kFloat) {
    const float *in = Data<float>(hidden), *offset = Data<float>(bias);
    float* out = Data<float>(active);
    ForRows(rows, [=](int64_t r, int64_t) { ForwardRow(in + r * width, offset, out + r * width, width); });
  } else {
    const uint16_t *in = Data<uint16_t>(hidden), *offset = Data<uint16_t>(bias);
    uint16_t* out = Data<uint16_t>(active);
    ForRows(rows,
            [=](int64_t r, int64_t) { ForwardRowHalf(in + r * width, offset, out + r * width, width); });
  }
  return active;
}

QuickGeluGradient BiasQuickGeluBackward(const at::Tensor& hidden, const at::Tensor& bias,
                                        at::Tensor& d_active) {
  GRATICULE_CHECK(hidden.is_contiguous() && d_active.is_contiguous() && bias.is_contiguous());
  const int64_t width = bias.numel(), rows = hidden.numel() / width;
  const at::Tensor active = at::empty_like(hidden);
  // One row of column sums per thread, added up in thread order.
  const at::Tensor partial = at::zeros({at::get_num_threads(), width}, bias.options().dtype(at::kFloat));
  float* sums = Data<float>(partial);
  if (hidden.scalar_type() == at::kFloat) {
    const float *in = Data<float>(hidden), *offset = Data<float>(bias);
    float *grad = Data<float>(d_active), *out = Data<float>(active);
    ForRows(rows, [=](int64_t r, int64_t thread) {
      BackwardRow(in + r * width, offset, grad + r * width, out + r * width, sums + thread * width, width);
    });
  } else {
    const uint16_t *in = Data<uint16_t>(hidden), *offset = Data<uint16_t>(bias);
    uint16_t *grad = Data<uint16_t>(d_active), *out = Data<uint16_t>(active);
    ForRows(rows, [=](int64_t r, int64_t thread) {
      BackwardRowHalf(in + r * width, offset, grad + r * width, out + r * width, sums + thread * width,
                      width);
    });
  }
  return {active, partial.sum(0).to(bias.scalar_type())};
}

}  // namespace graticule
