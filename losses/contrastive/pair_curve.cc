#include "losses/contrastive/pair_curve.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "losses/contrastive/pair_places.h"

namespace graticule {
namespace {

constexpr double kMost = 4;  // |u|
constexpr double kLeastSpread = 0.02;
constexpr double kSeedLow = 0.2, kSeedHigh = 0.5;

}  // namespace

PairCurve::PairCurve(const VariogramCurve& curve, const PairConfig& config)
    : model_(curve.model), rho_km_(curve.rho_km), config_(config) {
  std::vector<double> lags, spreads;
  for (const VariogramBin& bin : curve.bins) {
    lags.push_back(std::log(bin.lag_km));
    spreads.push_back(bin.std);
  }
  log_lags_ = at::tensor(lags, at::kDouble);
  spreads_ = at::tensor(spreads, at::kDouble);
}

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

// Between the bins linear in the logarithm of the lag, as at the ends beyond them.
at::Tensor PairCurve::Spread(const at::Tensor& km_RC) const {
  const int64_t bins = log_lags_.numel();
  if (bins == 0) return at::full_like(km_RC, kLeastSpread);
  const at::Tensor lags = log_lags_.to(km_RC.device()), spreads = spreads_.to(km_RC.device());
  const at::Tensor lag = km_RC.clamp_min(1e-9).log();
  const at::Tensor above =
      at::bucketize(lag, lags).clamp_(1, std::max<int64_t>(1, bins - 1)).clamp_max_(bins - 1);
  const at::Tensor below = (above - 1).clamp_min_(0);
  const at::Tensor low = at::take(lags, below), width = (at::take(lags, above) - low).clamp_min_(1e-12);
  const at::Tensor t = ((lag - low) / width).clamp_(0, 1);
  return at::lerp(at::take(spreads, below), at::take(spreads, above), t).clamp_min_(kLeastSpread);
}

PairEffect PairCurve::Of(const at::Tensor& closeness_RC, const at::Tensor& distance_RC) const {
  const std::string& use = config_.use;
  const at::Tensor km = Kilometres(closeness_RC), share = Share(km), near = km < rho_km_;
  PairEffect effect;
  if (use == "beta" || use == "beta_near") {
    effect.hardness_RC = use == "beta" ? share : 1 - share;
    return effect;
  }
  if (!config_.NeedsFeatures()) {
    effect.log_weights_RC = at::where(near, ((share - 1) * config_.kappa_false).clamp_min_(-kMost), 0.0);
    return effect;
  }
  GRATICULE_CHECK(distance_RC.defined(), use);
  const at::Tensor unlike = distance_RC.to(at::kDouble);  // than expected
  const at::Tensor excess = unlike - (share * model_.sill + model_.nugget), unknown = excess.isnan();
  const auto known_or = [&](const at::Tensor& known, double otherwise) {
    return known.masked_fill(unknown, otherwise);
  };
  if (use == "logit") {
    const at::Tensor alike = known_or((-excess / Spread(km)).clamp_min_(0), 0);
    effect.log_weights_RC =
        at::where(near, (share - 1) * (1 + alike) * config_.kappa_false, alike * config_.kappa_hard)
            .clamp_(-kMost, kMost);
    return effect;
  }
  const at::Tensor apart = excess.clamp_min(0);
  if (use == "seed2") {
    effect.hardness_RC = known_or(excess.abs().clamp_(kSeedLow, kSeedHigh), 1);
  } else if (use == "seed4") {
    effect.hardness_RC = known_or(apart, 1);
  } else if (use == "seed5") {
    effect.factors_RC = known_or(at::where(near, apart.exp(), 1.0), 1);
  } else {
    effect.factors_RC = unknown.to(at::kDouble);
    effect.offsets_RC =
        known_or(use == "seed1" ? excess.abs().clamp_(kSeedLow, kSeedHigh) : at::where(near, apart, 0.0), 0);
  }
  return effect;
}

}  // namespace graticule
