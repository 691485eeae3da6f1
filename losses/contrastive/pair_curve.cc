#include "losses/contrastive/pair_curve.h"

#include <ATen/ATen.h>

#include "losses/contrastive/pair_places.h"

namespace graticule {

PairCurve::PairCurve(const VariogramCurve& curve, const PairConfig& config)
    : model_(curve.model), rho_km_(curve.rho_km), config_(config) {}

at::Tensor PairCurve::Kilometres(const at::Tensor& closeness_RC) const {
  return closeness_RC.clamp(-1, 1).acos_().mul_(kPairRadiusKm);
}

at::Tensor PairCurve::Share(const at::Tensor& km_RC) const {
  const at::Tensor x = km_RC / model_.range_km;
  switch (model_.shape) {
    case VariogramShape::kSpherical: {
      const at::Tensor within = x.clamp_max(1);
      return 1.5 * within - 0.5 * within.pow(3);
    }
    case VariogramShape::kExponential:
      return -at::expm1(-x);
    case VariogramShape::kGaussian:
      return -at::expm1(-x.square());
    case VariogramShape::kStable:
      break;
  }
  return -at::expm1(-x.pow(model_.alpha));
}

at::Tensor PairCurve::LogWeights(const at::Tensor& closeness_RC) const {
  if (config_.use != "logit") return {};
  constexpr double kLeast = -4;
  const at::Tensor km = Kilometres(closeness_RC);
  return at::where(km < rho_km_, ((Share(km) - 1) * config_.kappa).clamp_min_(kLeast), 0.0);
}

at::Tensor PairCurve::Hardness(const at::Tensor& closeness_RC) const {
  if (config_.use == "logit") return {};
  const at::Tensor share = Share(Kilometres(closeness_RC));
  return config_.use == "beta_near" ? 1 - share : share;
}

}  // namespace graticule
