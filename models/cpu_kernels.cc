#include "models/cpu_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/cpu_vector.h"

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

GRATICULE_INLINE void Sigmoid(const Vec& x, Vec& out) {
  Exp(-x, out);
  out = 1.0f / (1.0f + out);
}

// active = QuickGELU(hidden + bias), 16 values.
template <typename T>
GRATICULE_INLINE void Forward(const T* hidden, const T* bias, T* active) {
  Vec h, b, s;
  Load(hidden, h);
  Load(bias, b);
  h += b;
  Sigmoid(kSlope * h, s);
  Store(active, h * s);
}

// grad becomes the gradient with respect to hidden and is added to `sums`.
template <typename T>
GRATICULE_INLINE void Backward(const T* hidden, const T* bias, T* grad, T* active, float* sums) {
  Vec h, b, g, s, sum;
  Load(hidden, h);
  Load(bias, b);
  Load(grad, g);
  Load(sums, sum);
  h += b;
  Sigmoid(kSlope * h, s);
  g *= s * (1.0f + kSlope * h * (1.0f - s));
  Store(active, h * s);
  Store(grad, g);
  Store(sums, sum + g);
}

// The last width % 16 values go through buffers of 16.
template <typename T>
struct Tail {
  T values[kLanes] = {};
  Tail(const T* from, int64_t count) { std::copy_n(from, count, values); }
};

template <typename T>
GRATICULE_INLINE void ForwardLoop(const T* hidden, const T* bias, T* active, int64_t width) {
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) Forward(hidden + i, bias + i, active + i);
  if (i == width) return;
  Tail<T> h(hidden + i, width - i), b(bias + i, width - i);
  Forward(h.values, b.values, h.values);
  std::copy_n(h.values, width - i, active + i);
}

template <typename T>
GRATICULE_INLINE void BackwardLoop(const T* hidden, const T* bias, T* grad, T* active, float* sums,
                                   int64_t width) {
  int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) Backward(hidden + i, bias + i, grad + i, active + i, sums + i);
  if (i == width) return;
  Tail<T> h(hidden + i, width - i), b(bias + i, width - i), g(grad + i, width - i);
  Tail<float> sum(sums + i, width - i);
  Backward(h.values, b.values, g.values, h.values, sum.values);
  std::copy_n(h.values, width - i, active + i);
  std::copy_n(g.values, width - i, grad + i);
  std::copy_n(sum.values, width - i, sums + i);
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
