#include "trainer/optim/gradient_norm.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/grad_mode.h>

#include "base/error.h"

namespace graticule {

GradientNorm ComputeGradientNorm(const std::vector<at::Tensor>& buckets) {
  const torch::autograd::AutoGradMode no_grad(false);
  GRATICULE_CHECK(!buckets.empty());
  std::vector<at::Tensor> norms;
  norms.reserve(buckets.size());
  for (const at::Tensor& bucket : buckets) norms.push_back(at::linalg_vector_norm(bucket));
  GradientNorm result;
  result.norm = at::linalg_vector_norm(at::stack(norms)).to(at::kFloat).view({1});
  result.found_inf = at::isfinite(result.norm).logical_not().to(at::kFloat);
  return result;
}

void ClipGradients(const std::vector<at::Tensor>& buckets, const at::Tensor& norm, double max_norm) {
  if (max_norm <= 0) return;
  const torch::autograd::AutoGradMode no_grad(false);
  const at::Tensor factor = (norm + 1e-6).reciprocal().mul(max_norm).clamp_max(1.0);
  for (const at::Tensor& bucket : buckets) at::Tensor(bucket).mul_(factor);
}

}  // namespace graticule
