#include "losses/contrastive/fused_sums.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "losses/contrastive/cpu_sums.h"

namespace graticule {
namespace {

LineStatistics StatisticsOf(const at::Tensor& lines_NK, float share) {
  if (!lines_NK.defined()) return {};
  GRATICULE_CHECK(lines_NK.is_contiguous() && lines_NK.size(1) == 3);
  return {lines_NK.const_data_ptr<float>(), lines_NK.size(0), share};
}

}  // namespace

const ContrastiveKernels* KernelsFor(const at::Tensor& logits_RC) {
  const ContrastiveKernels* kernels = contrastive_kernels;
  const bool theirs = kernels != nullptr && kernels->on_cuda() == logits_RC.is_cuda();
  return theirs && logits_RC.scalar_type() == at::kFloat && logits_RC.stride(1) == 1 ? kernels : nullptr;
}

LogitBlock BlockOf(const at::Tensor& logits_RC) {
  return {logits_RC.mutable_data_ptr<float>(), logits_RC.size(0), logits_RC.size(1), logits_RC.stride(0)};
}

bool FusedSumsApply(const at::Tensor& logits_RC) {
  return KernelsFor(logits_RC) != nullptr || CpuSumsApply(logits_RC);
}

at::Tensor FusedLogSums(const at::Tensor& logits_RC, int64_t dim, Slopes slopes) {
  const ContrastiveKernels* kernels = KernelsFor(logits_RC);
  if (kernels == nullptr) return CpuLogSums(logits_RC, dim, slopes);
  at::Tensor sums = at::empty({logits_RC.size(1 - dim), 2}, logits_RC.options());
  kernels->LogSums(BlockOf(logits_RC), dim == 0, slopes, sums.mutable_data_ptr<float>());
  return sums;
}

void FusedGradient(at::Tensor& logits_RC, Slopes slopes, const at::Tensor& rows_RK, float row_share,
                   const at::Tensor& columns_CK, float column_share) {
  const ContrastiveKernels* kernels = KernelsFor(logits_RC);
  if (kernels == nullptr) return CpuGradient(logits_RC, slopes, rows_RK, row_share, columns_CK, column_share);
  GRATICULE_CHECK(rows_RK.size(0) == logits_RC.size(0));
  kernels->Gradient(BlockOf(logits_RC), slopes, StatisticsOf(rows_RK, row_share),
                    StatisticsOf(columns_CK, column_share));
}

}  // namespace graticule
