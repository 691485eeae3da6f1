// What a semivariogram says of a pair of places. g(d) in [0, 1] tells how far along the way from "as alike as
// neighbours" to "as unlike as any two" they are expected to be (geo/variogram/variogram_model.h, Share), and
// gamma(d) how far apart the features of their images are. C is how far apart they are found, rho the
// practical range.
//
//   logit      u = -kappa_false (1 - g) (1 + z) below rho, kappa_hard z beyond, within [-4, 4]
//              z = max(0, (gamma - C) / max(s, 0.02)), s the spread of single pairs at d; more alike than
//              expected: far away a hard negative, nearby a false one. z = 0 without kappa_hard
//   beta       g multiplies beta: near pairs are not hardened
//   beta_near  1 - g does: only they are
//   seed1      |gamma - C|, within [0.2, 0.5], stands for the logit
//   seed2      the same for beta
//   seed3      max(0, C - gamma) below rho, 0 beyond, stands for the logit
//   seed4      max(0, C - gamma) for beta
//   seed5      the logit times e^max(0, C - gamma) below rho
//
// Where one of the two has no image, z is 0 and the seeds leave the pair as it is. Nothing here carries a
// gradient. Immutable; thread-safe. Legend as in row_objective.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "geo/variogram/variogram_curve.h"
#include "losses/contrastive/contrastive_config.h"
#include "losses/contrastive/row_objective.h"

namespace graticule {

class PairCurve {
 public:
  PairCurve(const VariogramCurve& curve, const PairConfig& config);

  // closeness_RC: fp64 (pair_places.h). distance_RC: C, NaN where unknown; undefined unless
  // config.NeedsFeatures().
  PairEffect Of(const at::Tensor& closeness_RC, const at::Tensor& distance_RC) const;

 private:
  at::Tensor Kilometres(const at::Tensor& closeness_RC) const;
  at::Tensor Share(const at::Tensor& km_RC) const;
  at::Tensor Spread(const at::Tensor& km_RC) const;

  const VariogramModel model_;
  const double rho_km_;
  const PairConfig config_;
  at::Tensor log_lags_, spreads_;  // fp64, of the bins that have pairs
};

}  // namespace graticule
