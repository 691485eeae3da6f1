#include "models/cpu_attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "models/cpu_kernels.h"
#include "base/cpu_vector.h"

namespace graticule {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kMaxTokens = 1024;  // two score matrices stay within a core's cache

// C[kRows, 16 kCols] = A B over `depth`. A by element strides, B and C by row strides with unit columns.
template <int kRows, int kCols>
GRATICULE_INLINE void Tile(const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t b_row,
                           float* c, int64_t c_row, int64_t depth) {
  Vec sum[kRows][kCols] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vec right[kCols];
    for (int j = 0; j < kCols; ++j) right[j] = *reinterpret_cast<const Vec*>(b + k * b_row + j * kLanes);
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kCols; ++j) sum[i][j] += a[i * a_row + k * a_col] * right[j];
  }
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kCols; ++j) *reinterpret_cast<Vec*>(c + i * c_row + j * kLanes) = sum[i][j];
}

template <int kRows>
GRATICULE_INLINE void TileRow(const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t b_row,
                              float* c, int64_t c_row, int64_t columns, int64_t depth) {
  int64_t j = 0;
  for (; j + 2 * kLanes <= columns; j += 2 * kLanes)
    Tile<kRows, 2>(a, a_row, a_col, b + j, b_row, c + j, c_row, depth);
  if (j < columns) Tile<kRows, 1>(a, a_row, a_col, b + j, b_row, c + j, c_row, depth);
}

// C [rows, columns] = A [rows, depth] B [depth, columns]; columns a multiple of 16.
GRATICULE_CLONES void Product(const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t b_row,
                              float* c, int64_t c_row, int64_t rows, int64_t columns, int64_t depth) {
  int64_t i = 0;
  for (; i + 8 <= rows; i += 8)
    TileRow<8>(a + i * a_row, a_row, a_col, b, b_row, c + i * c_row, c_row, columns, depth);
  for (; i + 4 <= rows; i += 4)
    TileRow<4>(a + i * a_row, a_row, a_col, b, b_row, c + i * c_row, c_row, columns, depth);
  for (; i < rows; ++i)
    TileRow<1>(a + i * a_row, a_row, a_col, b, b_row, c + i * c_row, c_row, columns, depth);
}

GRATICULE_INLINE float SumOf(const Vec& v) {
  float sum = 0;
  for (int lane = 0; lane < kLanes; ++lane) sum += v[lane];
  return sum;
}

// Scores of one row into probabilities; returns log sum exp of the scaled scores. Columns past `tokens`
// become ~0.
GRATICULE_CLONES float SoftmaxRow(float* row, int64_t tokens, int64_t padded, float scale) {
  for (int64_t j = tokens; j < padded; ++j) row[j] = -1e30f;
  Vec most = *reinterpret_cast<Vec*>(row);
  for (int64_t j = kLanes; j < padded; j += kLanes) {
    const Vec x = *reinterpret_cast<Vec*>(row + j);
    most = x > most ? x : most;
  }
  float largest = most[0];
  for (int lane = 1; lane < kLanes; ++lane) largest = most[lane] > largest ? most[lane] : largest;
  Vec sums = {};
  for (int64_t j = 0; j < padded; j += kLanes) {
    Vec e;
    Exp((*reinterpret_cast<Vec*>(row + j) - largest) * scale, e);
    *reinterpret_cast<Vec*>(row + j) = e;
    sums += e;
  }
  const float sum = SumOf(sums), inverse = 1 / sum;
  for (int64_t j = 0; j < padded; j += kLanes) *reinterpret_cast<Vec*>(row + j) *= inverse;
  return largest * scale + std::log(sum);
}

// Scores into probabilities by the kept log-sum-exp, and their gradient into the scores' one:
// d_s = p (d_p - sum p d_p) scale. Columns past the tokens are not read afterwards.
GRATICULE_CLONES void SoftmaxRowBackward(float* p, float* d, int64_t padded, float scale, float log_sum) {
  Vec sums = {};
  for (int64_t j = 0; j < padded; j += kLanes) {
    Vec e;
    Exp(*reinterpret_cast<Vec*>(p + j) * scale - log_sum, e);
    *reinterpret_cast<Vec*>(p + j) = e;
    sums += e * *reinterpret_cast<Vec*>(d + j);
  }
  const float sum = SumOf(sums);
  for (int64_t j = 0; j < padded; j += kLanes) {
    Vec& g = *reinterpret_cast<Vec*>(d + j);
    g = *reinterpret_cast<Vec*>(p + j) * (g - sum) * scale;
  }
}

// out[column, row] = in[row, column], rows padded with zeros.
void Transpose(const float* in, int64_t in_row, float* out, int64_t rows, int64_t padded, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) out[c * padded + r] = in[r * in_row + c];
    for (int64_t r = rows; r < padded; ++r) out[c * padded + r] = 0;
  }
}

struct Shape {
  int64_t batch, tokens, width, heads;
  int64_t head_width() const { return width / heads; }
  int64_t padded() const { return (tokens + kLanes - 1) / kLanes * kLanes; }
  int64_t packed_row() const { return 3 * width; }
  float scale() const { return 1 / std::sqrt(static_cast<float>(head_width())); }
  // First value of a head in the packed tensor and in the plain one.
  int64_t Packed(int64_t task) const {
    return task / heads * tokens * 3 * width + task % heads * head_width();
  }
  int64_t Plain(int64_t task) const { return task / heads * tokens * width + task % heads * head_width(); }
};

Shape ShapeOf(const at::Tensor& qkv, int64_t heads) {
  return {qkv.size(0), qkv.size(1), qkv.size(2) / 3, heads};
}

void ForwardTask(const Shape& s, const float* q, float* out, float* log_sums, float* scratch) {
  const float *k = q + s.width, *v = q + 2 * s.width;
  float *k_t = scratch, *p = k_t + s.head_width() * s.padded();
  Transpose(k, s.packed_row(), k_t, s.tokens, s.padded(), s.head_width());
  Product(q, s.packed_row(), 1, k_t, s.padded(), p, s.padded(), s.tokens, s.padded(), s.head_width());
  for (int64_t i = 0; i < s.tokens; ++i)
    log_sums[i] = SoftmaxRow(p + i * s.padded(), s.tokens, s.padded(), s.scale());
  Product(p, s.padded(), 1, v, s.packed_row(), out, s.width, s.tokens, s.head_width(), s.tokens);
}

void BackwardTask(const Shape& s, const float* q, const float* grad, const float* log_sums, float* d_q,
                  float* scratch) {
  const float *k = q + s.width, *v = q + 2 * s.width;
  float *d_k = d_q + s.width, *d_v = d_q + 2 * s.width;
  const int64_t matrix = s.tokens * s.padded(), row = s.packed_row();
  float *k_t = scratch, *v_t = k_t + s.head_width() * s.padded(), *p = v_t + s.head_width() * s.padded(),
        *d_s = p + matrix;
  Transpose(k, row, k_t, s.tokens, s.padded(), s.head_width());
  Transpose(v, row, v_t, s.tokens, s.padded(), s.head_width());
  Product(q, row, 1, k_t, s.padded(), p, s.padded(), s.tokens, s.padded(), s.head_width());
  Product(grad, s.width, 1, v_t, s.padded(), d_s, s.padded(), s.tokens, s.padded(), s.head_width());
  for (int64_t i = 0; i < s.tokens; ++i)
    SoftmaxRowBackward(p + i * s.padded(), d_s + i * s.padded(), s.padded(), s.scale(), log_sums[i]);
  Product(p, 1, s.padded(), grad, s.width, d_v, row, s.tokens, s.head_width(), s.tokens);
  Product(d_s, s.padded(), 1, k, row, d_q, row, s.tokens, s.head_width(), s.tokens);
  Product(d_s, 1, s.padded(), q, row, d_k, row, s.tokens, s.head_width(), s.tokens);
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& qkv, int64_t heads) {
    const Shape s = ShapeOf(qkv, heads);
    at::Tensor out = at::empty({s.batch, s.tokens, s.width}, qkv.options());
    at::Tensor log_sums = at::empty({s.batch * heads, s.tokens}, qkv.options());
    const float* in = qkv.const_data_ptr<float>();
    float *to = out.mutable_data_ptr<float>(), *sums = log_sums.mutable_data_ptr<float>();
    at::parallel_for(0, s.batch * heads, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch((s.head_width() + s.tokens) * s.padded());
      for (int64_t t = begin; t < end; ++t)
        ForwardTask(s, in + s.Packed(t), to + s.Plain(t), sums + t * s.tokens, scratch.data());
    });
    ctx->save_for_backward({qkv, log_sums});
    ctx->saved_data["heads"] = heads;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Shape s = ShapeOf(saved[0], ctx->saved_data["heads"].toInt());
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor d_qkv = at::empty_like(saved[0]);
    const float *in = saved[0].const_data_ptr<float>(), *g = grad.const_data_ptr<float>(),
                *sums = saved[1].const_data_ptr<float>();
    float* d = d_qkv.mutable_data_ptr<float>();
    at::parallel_for(0, s.batch * s.heads, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> scratch(2 * (s.head_width() + s.tokens) * s.padded());
      for (int64_t t = begin; t < end; ++t)
        BackwardTask(s, in + s.Packed(t), g + s.Plain(t), sums + t * s.tokens, d + s.Packed(t),
                     scratch.data());
    });
    return {d_qkv, at::Tensor()};
  }
};

}  // namespace

bool CpuAttentionApplies(const at::Tensor& qkv_BT3W, int64_t heads) {
  return UsesCpuKernels(qkv_BT3W) && qkv_BT3W.is_contiguous() && qkv_BT3W.size(1) <= kMaxTokens &&
         qkv_BT3W.size(2) / 3 / heads % kLanes == 0;
}

at::Tensor CpuAttention(const at::Tensor& qkv_BT3W, int64_t heads) {
  if (qkv_BT3W.scalar_type() == at::kFloat) return AttentionFunction::apply(qkv_BT3W, heads);
  return AttentionFunction::apply(qkv_BT3W.to(at::kFloat), heads).to(qkv_BT3W.scalar_type());
}

}  // namespace graticule
