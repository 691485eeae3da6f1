#include "losses/contrastive/leave_out.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "losses/contrastive/fused_sums.h"

namespace graticule {
namespace {

template <class T>
const T* DataOf(const at::Tensor& t) {
  GRATICULE_CHECK(t.is_contiguous());
  return t.const_data_ptr<T>();
}

}  // namespace

bool LeavesOutInPlace(const at::Tensor& logits_RC, const at::Tensor& closeness_RC) {
  return !closeness_RC.defined() && KernelsFor(logits_RC) != nullptr;
}

LeftOutCounts LeaveOut(const at::Tensor& logits_RC, const PairPlaces& rows, const PairPlaces& columns,
                       const at::Tensor& positive_R, bool both_ways) {
  Mask mask;
  if (columns.limit_N.defined()) {
    mask.rows.unit_N3 = DataOf<double>(rows.unit_N3);
    mask.columns.unit_N3 = DataOf<double>(columns.unit_N3);
    mask.columns.limit_N = DataOf<double>(columns.limit_N);
  }
  if (columns.keys_NK.size(1) > 0) {
    mask.keys = rows.keys_NK.size(1);
    GRATICULE_CHECK(mask.keys == 0 || mask.keys == columns.keys_NK.size(1));
    mask.rows.keys_NK = DataOf<int64_t>(rows.keys_NK);
    mask.columns.keys_NK = DataOf<int64_t>(columns.keys_NK);
  }
  if (columns.several_views) {
    mask.rows.sample_N = DataOf<int64_t>(rows.sample_N);
    mask.columns.sample_N = DataOf<int64_t>(columns.sample_N);
  }
  if (!columns.all_valid) mask.columns.valid_N = DataOf<bool>(columns.valid_N);
  if (both_ways && !rows.all_valid) mask.rows.valid_N = DataOf<bool>(rows.valid_N);
  LeftOutCounts counts;
  if (mask.columns.limit_N == nullptr && mask.keys == 0 && mask.columns.sample_N == nullptr &&
      mask.columns.valid_N == nullptr && mask.rows.valid_N == nullptr)
    return counts;
  const auto zeros = [&](int64_t n) { return at::zeros({n}, logits_RC.options().dtype(at::kInt)); };
  if (positive_R.defined()) {
    mask.positive_R = DataOf<int64_t>(positive_R);
    counts.rows_R = zeros(logits_RC.size(0));
    mask.out_R = counts.rows_R.mutable_data_ptr<int32_t>();
  }
  if (both_ways) {
    counts.columns_C = zeros(logits_RC.size(1));
    mask.out_C = counts.columns_C.mutable_data_ptr<int32_t>();
  }
  KernelsFor(logits_RC)->LeaveOut(BlockOf(logits_RC), mask);
  return counts;
}

}  // namespace graticule
