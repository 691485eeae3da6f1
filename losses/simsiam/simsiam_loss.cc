#include "losses/simsiam/simsiam_loss.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <array>
#include <vector>

#include "base/error.h"
#include "losses/batch_collectives.h"
#include "losses/simsiam/batch_norm.h"

namespace graticule {
namespace {

constexpr size_t kNormed = 4, kProjected = 2;  // layers with a norm; the one that ends the projector
// Where the parameters of a layer begin.
constexpr size_t kLayer[kNormed] = {0, 3, 6, 7}, kOutput = 10, kParameters = 12;

at::Tensor Norms(const at::Tensor& rows) { return rows.norm(2, {-1}, /*keepdim=*/true).clamp_min(1e-12); }

// Of a linear map's weight: over all rows, whatever view they are of.
at::Tensor WeightGradient(const at::Tensor& y, const at::Tensor& x) {
  return at::mm(y.flatten(0, 1).t(), x.flatten(0, 1));
}

// What each view is to be like: the sum of its neighbours, unit rows.
at::Tensor Targets(const at::Tensor& projected_BVC) {
  const int64_t pairs = projected_BVC.size(1) - 1;
  const at::Tensor unit = projected_BVC / Norms(projected_BVC);
  at::Tensor targets = at::zeros_like(unit);
  targets.narrow(1, 0, pairs).add_(unit.narrow(1, 1, pairs));
  targets.narrow(1, 1, pairs).add_(unit.narrow(1, 0, pairs));
  return targets;
}

}  // namespace

at::Tensor SimSiamSumCollective(const at::Tensor& features_ID, int64_t views, at::TensorList parameters,
                                Communicator& comm, StreamHandle stream) {
  GRATICULE_CHECK(views >= 2 && features_ID.size(0) % views == 0);
  GRATICULE_CHECK(parameters.size() == kParameters);
  const bool graph = at::GradMode::is_enabled();
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> values{features_ID.detach().view({-1, views, features_ID.size(1)})};
  std::vector<SyncBatchNorm> norms;
  for (size_t layer = 0; layer < kNormed; ++layer) {
    const size_t at = kLayer[layer];
    const bool last = layer == kProjected;
    norms.emplace_back(last ? at::Tensor() : parameters[at + 1], last ? at::Tensor() : parameters[at + 2],
                       comm, stream);
    at::Tensor out = norms.back().ForwardCollective(at::linear(values.back(), parameters[at]));
    values.push_back(last ? out : out.relu_());
  }
  const at::Tensor predicted = at::linear(values.back(), parameters[kOutput], parameters[kOutput + 1]);

  const double share = -0.5 / static_cast<double>(views - 1);
  const at::Tensor norm = Norms(predicted), unit = predicted / norm,
                   targets = Targets(values[kProjected + 1]);
  const at::Tensor cosines = (unit * targets).sum(-1, /*keepdim=*/true);
  const at::Tensor sum = share * cosines.sum(at::kDouble);

  std::vector<at::Tensor> gradients(1 + kParameters);  // of the features, then of the parameters
  const auto of = [&](size_t parameter) -> at::Tensor& { return gradients[1 + parameter]; };
  at::Tensor towards = (targets - cosines * unit) * (share / norm);
  of(kOutput) = WeightGradient(towards, values[kNormed]);
  of(kOutput + 1) = towards.flatten(0, 1).sum(0);
  towards = at::matmul(towards, parameters[kOutput]);
  for (size_t layer = kNormed; layer-- > 0;) {
    const size_t at = kLayer[layer];
    if (layer != kProjected) towards.mul_(values[layer + 1] > 0);
    const SyncBatchNorm::Gradients normed = norms[layer].BackwardCollective(towards);
    of(at) = WeightGradient(normed.x_BVC, values[layer]);
    if (layer != kProjected) of(at + 1) = normed.scale_C, of(at + 2) = normed.shift_C;
    towards = at::matmul(normed.x_BVC, parameters[at]);
  }
  gradients[0] = towards.view_as(features_ID);

  std::vector<at::Tensor> inputs{features_ID};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  const torch::autograd::AutoGradMode as_before(graph);
  return WithGradients(sum, inputs, gradients);
}

}  // namespace graticule
