// Fits the curves of variogram_model.h to the points of an estimate.
//
// Minimised is sum_b w_b (gamma_b / gamma(h_b) - 1)^2 with the number of pairs as w_b (Cressie 1985), or with
// FitWeights::kEqual the plain sum of squared differences. The search is Levenberg-Marquardt over the
// logarithms of the parameters (alpha: a logistic), from several starts, so that all of them keep their
// signs. Pure functions; deterministic. Error(kData) for fewer bins than parameters.
// Source: Cressie, Fitting variogram models by weighted least squares, Math. Geology 17 (1985).
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geo/variogram/variogram_curve.h"
#include "geo/variogram/variogram_model.h"

namespace graticule {

inline constexpr int64_t kFewestPairs = 30;  // a bin with fewer says nothing to a fit

enum class FitWeights { kCressie, kEqual };

struct FitPoint {
  double lag_km = 0, gamma = 0, weight = 0;
};

struct VariogramFit {
  VariogramModel model;
  double loss = 0;   // the minimised sum, weights scaled to mean 1
  double score = 0;  // B ln(loss / B) + 2 parameters: the smaller the better
  int points = 0;    // B
};

// The bins that a fit may use.
std::vector<FitPoint> FitPoints(std::span<const VariogramBin> bins);

// start: begin there alone instead of at several places.
VariogramFit FitVariogram(std::span<const FitPoint> points, VariogramShape shape,
                          FitWeights weights = FitWeights::kCressie,
                          const std::optional<VariogramModel>& start = std::nullopt);
// All shapes, the best score first.
std::vector<VariogramFit> FitAllShapes(std::span<const FitPoint> points,
                                       FitWeights weights = FitWeights::kCressie);

// 95 % intervals of the parameters by the delete-a-group jackknife: replicates[g][b] is gamma of bin b
// without group g (NaN: nothing is left of the bin). The fit is repeated for each; c0 on its own scale and
// not below 0, the others on a logarithmic one. Empty for fewer than three replicates.
std::map<std::string, VariogramInterval> JackknifeIntervals(const VariogramFit& fit,
                                                            std::span<const VariogramBin> bins,
                                                            std::span<const std::vector<double>> replicates);

}  // namespace graticule
