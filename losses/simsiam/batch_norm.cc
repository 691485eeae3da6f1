#include "losses/simsiam/batch_norm.h"

#include <ATen/ATen.h>

#include "losses/batch_collectives.h"

namespace graticule {
namespace {

constexpr double kEpsilon = 1e-5;

}  // namespace

at::Tensor SyncBatchNorm::MeanCollective(at::Tensor sums, int64_t own_rows) const {
  SumOverRanksCollective(sums, comm_, stream_);
  return sums.div_(static_cast<double>(own_rows * comm_.world_size()));
}

at::Tensor SyncBatchNorm::ForwardCollective(const at::Tensor& x_BVC) {
  const at::ScalarType type = x_BVC.scalar_type();
  const int64_t rows = x_BVC.size(0);
  const at::Tensor mean = MeanCollective(x_BVC.sum({0}, /*keepdim=*/false, at::kDouble), rows);
  normal_BVC_ = x_BVC - mean.to(type);
  const at::Tensor variance =
      MeanCollective(normal_BVC_.square().sum({0}, /*keepdim=*/false, at::kDouble), rows);
  inverse_VC_ = (variance + kEpsilon).rsqrt().to(type);
  normal_BVC_.mul_(inverse_VC_);
  return scale_C_.defined() ? at::addcmul(shift_C_, normal_BVC_, scale_C_) : normal_BVC_.clone();
}

SyncBatchNorm::Gradients SyncBatchNorm::BackwardCollective(const at::Tensor& y_BVC) const {
  const at::ScalarType type = y_BVC.scalar_type();
  const at::Tensor sums_2VC =
      at::stack({y_BVC.sum({0}, false, at::kDouble), (y_BVC * normal_BVC_).sum({0}, false, at::kDouble)});
  const at::Tensor own_2C = sums_2VC.sum({1}).to(type);
  const at::Tensor mean_2VC = MeanCollective(sums_2VC, y_BVC.size(0)).to(type);
  const at::Tensor centred = y_BVC - mean_2VC[0] - normal_BVC_ * mean_2VC[1];
  if (!scale_C_.defined()) return {centred * inverse_VC_, {}, {}};
  return {centred * (inverse_VC_ * scale_C_), own_2C[1], own_2C[0]};
}

}  // namespace graticule
