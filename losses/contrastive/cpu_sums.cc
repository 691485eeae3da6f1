#include "losses/contrastive/cpu_sums.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/cpu_vector.h"
#include "base/error.h"

namespace graticule {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr int64_t kChunk = 4096;         // values summed in fp32
constexpr int64_t kStrip = 16 * kLanes;  // columns summed at a time: a few cache lines of each row
constexpr int64_t kGrain = 8;            // rows or strips that are worth a thread

// e^x, and 0 where x is beyond what fp32 holds.
GRATICULE_INLINE void ExpOrZero(const Vec& x, Vec& out) {
  Exp(x, out);
  out = x < -87.0f ? Vec{} : out;
}

GRATICULE_INLINE void Greater(const Vec& x, Vec& most) { most = x > most ? x : most; }

// The last values of a row, `fill` beyond them.
GRATICULE_INLINE void LoadPart(const float* from, int64_t count, float fill, Vec& to) {
  float values[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) values[lane] = lane < count ? from[lane] : fill;
  Load(values, to);
}
GRATICULE_INLINE void LoadUpTo(const float* from, int64_t count, float fill, Vec& to) {
  if (count >= kLanes) {
    Load(from, to);
  } else {
    LoadPart(from, count, fill, to);
  }
}

struct Sums {
  float steep = kNone, flat = kNone;
};

GRATICULE_CLONES Sums SumsOfRow(const float* row, int64_t columns, Slopes slopes) {
  Vec most = Vec{} + kNone, x;
  for (int64_t j = 0; j < columns; j += kLanes) {
    LoadUpTo(row + j, columns - j, kNone, x);
    Greater(x, most);
  }
  float largest = most[0];
  for (int64_t lane = 1; lane < kLanes; ++lane) largest = std::max(largest, most[lane]);
  if (largest == kNone) return {};
  double steep = 0, flat = 0;
  for (int64_t begin = 0; begin < columns; begin += kChunk) {
    const int64_t end = std::min(columns, begin + kChunk);
    Vec steep_sum = {}, flat_sum = {}, e;
    for (int64_t j = begin; j < end; j += kLanes) {
      LoadUpTo(row + j, end - j, kNone, x);
      ExpOrZero((x - largest) * slopes.steep, e);
      steep_sum += e;
      if (slopes.flat < 0) continue;
      ExpOrZero((x - largest) * slopes.flat, e);
      flat_sum += e;
    }
    for (int64_t lane = 0; lane < kLanes; ++lane) steep += steep_sum[lane], flat += flat_sum[lane];
  }
  Sums sums;
  sums.steep = static_cast<float>(slopes.steep * largest + std::log(steep));
  sums.flat = slopes.flat < 0 ? sums.steep : static_cast<float>(slopes.flat * largest + std::log(flat));
  return sums;
}

// `columns` <= kStrip columns at once, row after row.
GRATICULE_CLONES void SumsOfStrip(const float* logits, int64_t rows, int64_t stride, int64_t columns,
                                  Slopes slopes, Sums* out) {
  constexpr int64_t kVecs = kStrip / kLanes;
  Vec most[kVecs], steep[kVecs] = {}, flat[kVecs] = {}, x, e;
  for (Vec& m : most) m = Vec{} + std::numeric_limits<float>::lowest();  // -inf less it is no NaN
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t v = 0; v * kLanes < columns; ++v) {
      LoadUpTo(logits + i * stride + v * kLanes, columns - v * kLanes, kNone, x);
      Greater(x, most[v]);
    }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t v = 0; v * kLanes < columns; ++v) {
      LoadUpTo(logits + i * stride + v * kLanes, columns - v * kLanes, kNone, x);
      ExpOrZero((x - most[v]) * slopes.steep, e);
      steep[v] += e;
      if (slopes.flat < 0) continue;
      ExpOrZero((x - most[v]) * slopes.flat, e);
      flat[v] += e;
    }
  for (int64_t c = 0; c < columns; ++c) {
    const float largest = most[c / kLanes][c % kLanes];
    if (largest == std::numeric_limits<float>::lowest()) {
      out[c] = {};
      continue;
    }
    out[c].steep = slopes.steep * largest + std::log(steep[c / kLanes][c % kLanes]);
    out[c].flat =
        slopes.flat < 0 ? out[c].steep : slopes.flat * largest + std::log(flat[c / kLanes][c % kLanes]);
  }
}

// Statistics of all columns, each a vector of its own; null: none.
struct ColumnStatistics {
  const float *a = nullptr, *e = nullptr, *kappa = nullptr;
};

template <bool kFlat, bool kColumns>
GRATICULE_INLINE void GradientLoop(float* row, int64_t columns, Slopes slopes, float a, float e, float kappa,
                                   const ColumnStatistics& other) {
  for (int64_t j = 0; j < columns; j += kLanes) {
    const int64_t count = std::min(columns - j, kLanes);
    Vec x, g, h;
    LoadUpTo(row + j, count, kNone, x);
    ExpOrZero(x * slopes.steep - a, g);
    if constexpr (kFlat) {
      ExpOrZero(x * slopes.flat - e, h);
      g = g * slopes.steep - h * slopes.flat;
    }
    g *= kappa;
    if constexpr (kColumns) {
      Vec a_c, kappa_c, theirs;
      LoadUpTo(other.a + j, count, 0, a_c);
      LoadUpTo(other.kappa + j, count, 0, kappa_c);
      ExpOrZero(x * slopes.steep - a_c, theirs);
      if constexpr (kFlat) {
        LoadUpTo(other.e + j, count, 0, a_c);
        ExpOrZero(x * slopes.flat - a_c, h);
        theirs = theirs * slopes.steep - h * slopes.flat;
      }
      g += theirs * kappa_c;
    }
    if (count == kLanes) {
      Store(row + j, g);
    } else {
      for (int64_t lane = 0; lane < count; ++lane) row[j + lane] = g[lane];
    }
  }
}

// Columns past `paired` have no statistics of their own.
GRATICULE_CLONES void GradientOfRow(float* row, int64_t columns, int64_t paired, Slopes slopes, float a,
                                    float e, float kappa, const ColumnStatistics& other) {
  float* rest = row + paired;
  if (slopes.flat < 0) {
    GradientLoop<false, true>(row, paired, slopes, a, e, kappa, other);
    GradientLoop<false, false>(rest, columns - paired, slopes, a, e, kappa, other);
  } else {
    GradientLoop<true, true>(row, paired, slopes, a, e, kappa, other);
    GradientLoop<true, false>(rest, columns - paired, slopes, a, e, kappa, other);
  }
}

}  // namespace

bool CpuSumsApply(const at::Tensor& logits_RC) {
  return logits_RC.is_cpu() && logits_RC.scalar_type() == at::kFloat && logits_RC.stride(1) == 1;
}

at::Tensor CpuLogSums(const at::Tensor& logits_RC, int64_t dim, Slopes slopes) {
  GRATICULE_CHECK(CpuSumsApply(logits_RC));
  static_assert(sizeof(Sums) == 2 * sizeof(float));
  const int64_t rows = logits_RC.size(0), columns = logits_RC.size(1), stride = logits_RC.stride(0);
  at::Tensor sums = at::empty({dim == 1 ? rows : columns, 2}, logits_RC.options());
  const float* logits = logits_RC.const_data_ptr<float>();
  Sums* out = static_cast<Sums*>(sums.mutable_data_ptr());
  if (dim == 1) {
    at::parallel_for(0, rows, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = SumsOfRow(logits + i * stride, columns, slopes);
    });
  } else {
    at::parallel_for(0, (columns + kStrip - 1) / kStrip, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin * kStrip; c < std::min(columns, end * kStrip); c += kStrip)
        SumsOfStrip(logits + c, rows, stride, std::min(kStrip, columns - c), slopes, out + c);
    });
  }
  return sums;
}

void CpuGradient(at::Tensor& logits_RC, Slopes slopes, const at::Tensor& rows_RK, float row_share,
                 const at::Tensor& columns_CK, float column_share) {
  GRATICULE_CHECK(CpuSumsApply(logits_RC) && rows_RK.is_contiguous() && rows_RK.size(1) == 3);
  const int64_t rows = logits_RC.size(0), columns = logits_RC.size(1), stride = logits_RC.stride(0);
  ColumnStatistics other;
  at::Tensor by_kind;
  if (columns_CK.defined()) {
    by_kind = columns_CK.t().contiguous();
    by_kind.select(0, 2).mul_(column_share);
    other.a = by_kind.const_data_ptr<float>();
    other.e = other.a + by_kind.size(1), other.kappa = other.e + by_kind.size(1);
  }
  const int64_t paired = columns_CK.defined() ? columns_CK.size(0) : 0;
  float* logits = logits_RC.mutable_data_ptr<float>();
  const float* statistics = rows_RK.const_data_ptr<float>();
  at::parallel_for(0, rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* s = statistics + 3 * i;
      GradientOfRow(logits + i * stride, columns, paired, slopes, s[0], s[1], s[2] * row_share, other);
    }
  });
}

}  // namespace graticule
