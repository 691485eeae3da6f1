#include "geo/variogram/variogram_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unsupported/Eigen/NonLinearOptimization>
#include <unsupported/Eigen/NumericalDiff>

#include "base/error.h"

namespace graticule {
namespace {

int ParameterCount(VariogramShape shape) { return shape == VariogramShape::kStable ? 4 : 3; }

// Bounds keep a step that overshoots from overflowing; no curve of interest comes near them.
double Positive(double logarithm) { return std::exp(std::clamp(logarithm, -40.0, 25.0)); }

VariogramModel Decoded(VariogramShape shape, const Eigen::VectorXd& x) {
  VariogramModel model{
      .shape = shape, .nugget = Positive(x[0]), .sill = Positive(x[1]), .range_km = Positive(x[2])};
  if (shape == VariogramShape::kStable) model.alpha = 2 / (1 + std::exp(-std::clamp(x[3], -6.0, 30.0)));
  return model;
}

Eigen::VectorXd Encoded(const VariogramModel& m) {
  Eigen::VectorXd x(ParameterCount(m.shape));
  x[0] = std::log(std::max(m.nugget, 1e-15));
  x[1] = std::log(m.sill);
  x[2] = std::log(m.range_km);
  if (m.shape == VariogramShape::kStable) {
    const double alpha = std::min(m.alpha, 2 - 1e-9);
    x[3] = std::log(alpha / (2 - alpha));
  }
  return x;
}

// In the form that Eigen's Levenberg-Marquardt asks for.
struct Residuals {
  using Scalar = double;
  using InputType = Eigen::VectorXd;
  using ValueType = Eigen::VectorXd;
  using JacobianType = Eigen::MatrixXd;
  enum { InputsAtCompileTime = Eigen::Dynamic, ValuesAtCompileTime = Eigen::Dynamic };

  std::span<const FitPoint> points;
  VariogramShape shape;
  FitWeights weights;
  double scale;  // of the weights

  int inputs() const { return ParameterCount(shape); }
  int values() const { return static_cast<int>(points.size()); }
  int operator()(const Eigen::VectorXd& x, Eigen::VectorXd& out) const {
    const VariogramModel model = Decoded(shape, x);
    for (size_t b = 0; b < points.size(); ++b) {
      const double gamma = model.Gamma(points[b].lag_km);
      out[static_cast<Eigen::Index>(b)] =
          weights == FitWeights::kEqual ? points[b].gamma - gamma
                                        : std::sqrt(points[b].weight * scale) * (points[b].gamma / gamma - 1);
    }
    return 0;
  }
};

std::vector<VariogramModel> Starts(std::span<const FitPoint> points, VariogramShape shape) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const FitPoint& p : points) {
    low = std::min(low, p.gamma);
    high = std::max(high, p.gamma);
  }
  const double nugget = std::max(0.9 * low, 1e-6 * high), sill = std::max(high - nugget, 1e-6 * high);
  std::vector<VariogramModel> starts;
  for (const double range_km : {10.0, 100.0, 1000.0}) {
    for (const double alpha : {0.6, 1.4}) {
      starts.push_back({shape, nugget, sill, range_km, alpha});
      if (shape != VariogramShape::kStable) break;
    }
  }
  return starts;
}

double Score(double loss, size_t points, VariogramShape shape) {
  const auto b = static_cast<double>(points);
  return b * std::log(std::max(loss, 1e-300) / b) + 2 * ParameterCount(shape);
}

// The parameters that intervals are given for, with what makes their scale even.
std::map<std::string, double> Named(const VariogramModel& m) {
  std::map<std::string, double> out = {
      {"c0", m.nugget}, {"c", std::log(m.sill)}, {"rho", std::log(m.PracticalRangeKm())}};
  out[m.shape == VariogramShape::kStable ? "ell" : "a"] = std::log(m.range_km);
  if (m.shape == VariogramShape::kStable) out["alpha"] = std::log(m.alpha);
  return out;
}

}  // namespace

std::vector<FitPoint> FitPoints(std::span<const VariogramBin> bins) {
  std::vector<FitPoint> points;
  for (const VariogramBin& bin : bins) {
    if (bin.pairs >= kFewestPairs) points.push_back({bin.lag_km, bin.mean, bin.weight});
  }
  return points;
}

VariogramFit FitVariogram(std::span<const FitPoint> points, VariogramShape shape, FitWeights weights,
                          const std::optional<VariogramModel>& start) {
  if (std::ssize(points) <= ParameterCount(shape)) {
    throw Error(ErrorCode::kData,
                fmt::format("{} distance bins hold {} pairs or more; a {} curve needs {}", points.size(),
                            kFewestPairs, NameOf(shape), ParameterCount(shape) + 1),
                "", "Take more records.");
  }
  double sum = 0, high = 0;
  for (const FitPoint& p : points) {
    sum += p.weight;
    high = std::max(high, p.gamma);
  }
  if (!(high > 0)) {
    throw Error(ErrorCode::kData, "the values of all pairs are the same; there is no curve to fit", "",
                "Expected values that differ between places.");
  }
  using Functor = Eigen::NumericalDiff<Residuals, Eigen::Central>;
  Functor residuals{Residuals{points, shape, weights, static_cast<double>(points.size()) / sum}};
  VariogramFit best{.loss = std::numeric_limits<double>::infinity()};
  for (const VariogramModel& from : start ? std::vector{*start} : Starts(points, shape)) {
    Eigen::VectorXd x = Encoded(from);
    Eigen::LevenbergMarquardt<Functor> search(residuals);
    search.parameters.maxfev = 2000;
    search.parameters.xtol = search.parameters.ftol = 1e-12;
    search.minimize(x);
    const double loss = search.fvec.squaredNorm();
    if (loss < best.loss) best = {Decoded(shape, x), loss, Score(loss, points.size(), shape), 0};
  }
  GRATICULE_CHECK(std::isfinite(best.loss));
  best.points = static_cast<int>(points.size());
  return best;
}

std::vector<VariogramFit> FitAllShapes(std::span<const FitPoint> points, FitWeights weights) {
  std::vector<VariogramFit> fits;
  for (const VariogramShape shape : kVariogramShapes) fits.push_back(FitVariogram(points, shape, weights));
  std::stable_sort(fits.begin(), fits.end(),
                   [](const VariogramFit& a, const VariogramFit& b) { return a.score < b.score; });
  return fits;
}

std::map<std::string, VariogramInterval> JackknifeIntervals(const VariogramFit& fit,
                                                            std::span<const VariogramBin> bins,
                                                            std::span<const std::vector<double>> replicates) {
  if (replicates.size() < 3) return {};
  std::map<std::string, double> sum, squares;
  for (const std::vector<double>& gammas : replicates) {
    std::vector<FitPoint> points;
    for (size_t b = 0; b < bins.size(); ++b) {
      if (bins[b].pairs >= kFewestPairs && std::isfinite(gammas[b]))
        points.push_back({bins[b].lag_km, gammas[b], bins[b].weight});
    }
    if (std::ssize(points) <= ParameterCount(fit.model.shape)) return {};
    const VariogramFit again = FitVariogram(points, fit.model.shape, FitWeights::kCressie, fit.model);
    for (const auto& [name, value] : Named(again.model)) {
      sum[name] += value;
      squares[name] += value * value;
    }
  }
  const auto groups = static_cast<double>(replicates.size());
  std::map<std::string, VariogramInterval> intervals;
  for (const auto& [name, value] : Named(fit.model)) {
    const double mean = sum[name] / groups;
    const double variance = (groups - 1) * std::max(0.0, squares[name] / groups - mean * mean);
    const double half = 1.96 * std::sqrt(variance);
    intervals[name] = name == "c0" ? VariogramInterval{std::max(0.0, value - half), value + half}
                                   : VariogramInterval{std::exp(value - half), std::exp(value + half)};
    if (name == "alpha") intervals[name].high = std::min(intervals[name].high, 2.0);
  }
  return intervals;
}

}  // namespace graticule
