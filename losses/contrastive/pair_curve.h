// What a semivariogram says of a pair of places: how far along the way from "as alike as neighbours" to "as
// unlike as any two" they are expected to be, g(d) in [0, 1] (geo/variogram/variogram_model.h, Share).
//
// LogWeights: u = -kappa (1 - g(d)) where d is below the practical range, at least -4, and 0 beyond: near
// places, likely false negatives, count less. Hardness: g(d), or 1 - g(d), which multiplies beta: near pairs
// are not hardened (or only they are). Immutable; thread-safe. Legend as in row_objective.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "geo/variogram/variogram_curve.h"
#include "losses/contrastive/contrastive_config.h"

namespace graticule {

class PairCurve {
 public:
  PairCurve(const VariogramCurve& curve, const PairConfig& config);

  // closeness_RC: fp64 (pair_places.h). Undefined where config.use is for the other one.
  at::Tensor LogWeights(const at::Tensor& closeness_RC) const;
  at::Tensor Hardness(const at::Tensor& closeness_RC) const;

 private:
  at::Tensor Kilometres(const at::Tensor& closeness_RC) const;
  at::Tensor Share(const at::Tensor& km_RC) const;

  const VariogramModel model_;
  const double rho_km_;
  const PairConfig config_;
};

}  // namespace graticule
