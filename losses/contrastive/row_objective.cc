#include "losses/contrastive/row_objective.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "losses/contrastive/fused_sums.h"

namespace graticule {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// log(1 + e^x): beyond 40 it is x in both types.
at::Tensor Softplus(const at::Tensor& x) { return at::softplus(x, 1, 40); }

at::Tensor Column(const at::Tensor& statistics_RK, int64_t k) { return statistics_RK.narrow(1, k, 1); }

// What multiplies the logits: beta itself, or 2 beta / s, which multiplies cosines whatever s has become.
at::Tensor BetaOn(const RowBlock& rows, double beta, bool on_cosine) {
  return on_cosine ? 2 * beta / rows.scale : at::full_like(rows.scale, beta);
}

// Of weights e^top / mean e^exponent, log_sum that of all exponents; 0 without a negative.
at::Tensor LargestWeight(const RowBlock& rows, const at::Tensor& top_R, const at::Tensor& log_sum_R) {
  return at::where(rows.count_R > 0, (top_R - log_sum_R).exp() * rows.count_R, 0.0);
}

// InfoNCE, its debiased form (DCL), and hard-negative reweighting (HCL, weighted_add):
//   A = LSE((1 + beta) l + u), E = LSE(beta l + u), log R = log n + A - E,
//   N = max{(R - tau n e^{l+}) / (1 - tau), n e^-s}, loss = softplus(log N - l+).
// tau = 0 makes the bound idle: R is a weighted mean of numbers that are no smaller than it.
class Reweighted : public RowObjective {
 public:
  Reweighted(double beta, bool on_cosine, double tau_plus, bool detach)
      : beta_(beta), on_cosine_(on_cosine), tau_plus_(tau_plus), detach_(detach) {}

  RowLoss Forward(const RowBlock& rows) const override {
    const at::Tensor sums = LogSums(rows, 1);
    RowLoss loss = FromLogSums(rows, sums);
    if (beta_ > 0) {
      const at::Tensor top = rows.pairs.log_weights_RC.defined() ? Exponent(rows, 0).amax(1)
                                                                 : rows.negatives_RC.amax(1) * Beta(rows);
      loss.largest_weight_R = LargestWeight(rows, top, sums.select(1, 1));
    }
    return loss;
  }

  bool sums_merge() const override { return true; }
  at::Tensor LogSums(const RowBlock& piece, int64_t dim) const override {
    if (Fused(piece)) return FusedLogSums(piece.negatives_RC, dim, SlopesOf(piece, beta_ > 0));
    const at::Tensor a_sum = at::logsumexp(Exponent(piece, 1), dim);
    return at::stack({a_sum, Plain(piece) ? a_sum : at::logsumexp(Exponent(piece, 0), dim)}, 1);
  }

  RowLoss FromLogSums(const RowBlock& rows, const at::Tensor& sums_R2) const override {
    const at::Tensor& positive = rows.positive_R;
    const at::Tensor log_n = rows.count_R.log(), some = rows.count_R > 0;
    const bool plain = Plain(rows);
    const at::Tensor a_sum = sums_R2.select(1, 0), e_sum = plain ? log_n : sums_R2.select(1, 1);
    // Without a negative the row costs nothing, and +inf as its sums makes every weight 0.
    at::Tensor log_negatives = at::where(some, plain ? a_sum : log_n + a_sum - e_sum, -kInf);
    at::Tensor rho = at::ones_like(positive);
    RowLoss result;
    if (tau_plus_ > 0) {
      const at::Tensor shift = std::log(tau_plus_) + log_n + positive - log_negatives;  // c - a
      const at::Tensor left = at::log(-at::expm1(shift)) + log_negatives - std::log1p(-tau_plus_);
      const at::Tensor floor = log_n - rows.scale;
      // NaN (an n of 0) and a negative difference both compare false.
      const at::Tensor above = (shift < 0).logical_and(left > floor);
      result.floored_R = above.logical_not().logical_and(some);
      log_negatives = at::where(above, left, floor);
      rho = at::where(above, -1 / at::expm1(shift), at::zeros_like(shift));
    }
    const at::Tensor gap = log_negatives - positive;
    const at::Tensor sigma = at::sigmoid(gap);
    result.loss_R = Softplus(gap);
    result.positive_gradient_R =
        tau_plus_ > 0 ? -sigma * at::where(result.floored_R, at::ones_like(rho), rho) : -sigma;
    result.positive_gradient_R = at::where(some, result.positive_gradient_R, 0.0);
    const at::Tensor kappa = at::where(some, sigma * rho, 0.0);
    result.statistics_RK = at::stack({at::where(some, a_sum, kInf), at::where(some, e_sum, kInf), kappa}, 1);
    return result;
  }

  at::Tensor Gradient(RowBlock& piece, const at::Tensor& statistics_RK) const override {
    const bool through = !detach_ && beta_ > 0;
    if (Fused(piece)) {
      FusedGradient(piece.negatives_RC, SlopesOf(piece, through), statistics_RK, 1);
      return piece.negatives_RC;
    }
    const at::Tensor kappa = Column(statistics_RK, 2);
    at::Tensor weights;
    if (through) weights = Exponent(piece, 0).sub_(Column(statistics_RK, 1)).exp_();
    at::Tensor hard = Plain(piece) ? piece.negatives_RC : Exponent(piece, 1);
    hard.sub_(Column(statistics_RK, 0)).exp_();
    if (!through) return hard.mul_(kappa);
    const at::Tensor beta = Beta(piece);
    return hard.mul_(1 + beta).sub_(weights.mul_(beta)).mul_(kappa);
  }

  at::Tensor GradientBothWays(RowBlock& piece, const at::Tensor& statistics_RK, double share,
                              const ColumnShare& columns) const override {
    if (!Fused(piece)) return RowObjective::GradientBothWays(piece, statistics_RK, share, columns);
    FusedGradient(piece.negatives_RC, SlopesOf(piece, !detach_ && beta_ > 0), statistics_RK,
                  static_cast<float>(share), columns.statistics_CK, static_cast<float>(columns.share));
    return piece.negatives_RC;
  }

 private:
  bool Plain(const RowBlock& rows) const { return beta_ == 0 && !rows.pairs.log_weights_RC.defined(); }
  bool Fused(const RowBlock& piece) const {
    return FusedSumsApply(piece.negatives_RC) && !piece.pairs.log_weights_RC.defined();
  }
  Slopes SlopesOf(const RowBlock& piece, bool both) const {
    // Only the scale lies on the device, and reading it makes the host wait.
    const float beta = on_cosine_ && beta_ > 0 ? Beta(piece).item<float>() : static_cast<float>(beta_);
    return {1 + beta, both ? beta : -1};
  }
  at::Tensor Beta(const RowBlock& rows) const { return BetaOn(rows, beta_, on_cosine_); }
  // (one + beta) l + u
  at::Tensor Exponent(const RowBlock& rows, double one) const {
    if (beta_ == 0) {  // 0 times -inf is no number
      const at::Tensor base =
          one > 0 ? rows.negatives_RC
                  : at::where(rows.negatives_RC == -kInf, -kInf, at::zeros_like(rows.negatives_RC));
      return rows.pairs.log_weights_RC.defined() ? base + rows.pairs.log_weights_RC : base;
    }
    at::Tensor exponent = rows.negatives_RC * (Beta(rows) + one);
    return rows.pairs.log_weights_RC.defined() ? exponent.add_(rows.pairs.log_weights_RC) : exponent;
  }

  const double beta_;
  const bool on_cosine_;
  const double tau_plus_;
  const bool detach_;
};

// HCL with a beta for each pair, beta h(d): exponents beta h (l - c) and l + beta h (l - c), centred at
// c = log mean e^l, so that the zero of the logits has no say. Detached.
class DistanceBeta : public Reweighted {
 public:
  DistanceBeta(double beta, double tau_plus) : Reweighted(beta, false, tau_plus, true), beta_(beta) {}

  RowLoss Forward(const RowBlock& rows) const override {
    const at::Tensor mean = at::logsumexp(rows.negatives_RC, 1) - rows.count_R.log();
    const at::Tensor centre = at::where(rows.count_R > 0, mean, 0.0).unsqueeze(1);
    const at::Tensor weights = LogWeights(rows, centre);
    const at::Tensor log_sum = at::logsumexp(weights, 1);
    RowLoss loss = FromLogSums(rows, at::stack({at::logsumexp(weights + rows.negatives_RC, 1), log_sum}, 1));
    loss.largest_weight_R = LargestWeight(rows, weights.amax(1), log_sum);
    loss.statistics_RK = at::cat({loss.statistics_RK, centre}, 1);
    return loss;
  }
  at::Tensor Gradient(RowBlock& piece, const at::Tensor& statistics_RK) const override {
    return LogWeights(piece, Column(statistics_RK, 3))
        .add_(piece.negatives_RC)
        .sub_(Column(statistics_RK, 0))
        .exp_()
        .mul_(Column(statistics_RK, 2));
  }
  bool sums_merge() const override { return false; }

 private:
  at::Tensor LogWeights(const RowBlock& rows, const at::Tensor& centre) const {
    const at::Tensor none = rows.negatives_RC == -kInf;
    return ((rows.negatives_RC - centre) * (beta_ * rows.pairs.hardness_RC)).masked_fill_(none, -kInf);
  }

  const double beta_;
};

// InfoNCE of logits that pairs have changed.
class OfMovedLogits : public Reweighted {
 public:
  OfMovedLogits() : Reweighted(0, false, 0, true) {}

  RowLoss Forward(const RowBlock& rows) const override { return Reweighted::Forward(Moved(rows)); }
  at::Tensor Gradient(RowBlock& piece, const at::Tensor& statistics_RK) const override {
    RowBlock moved = Moved(piece);
    return Reweighted::Gradient(moved, statistics_RK).mul_(piece.pairs.factors_RC);
  }
  bool sums_merge() const override { return false; }

 private:
  static RowBlock Moved(const RowBlock& rows) {
    const at::Tensor none = rows.negatives_RC == -kInf;  // times 0 it would be no number
    RowBlock moved = rows;
    moved.negatives_RC = rows.negatives_RC * rows.pairs.factors_RC;
    if (rows.pairs.offsets_RC.defined()) moved.negatives_RC.add_(rows.pairs.offsets_RC);
    moved.negatives_RC.masked_fill_(none, -kInf);
    return moved;
  }
};

// The thesis' "Weighted": a negative's weight multiplies its logit, l' = w l with
// w = e^{beta l} / mean e^{beta l}, detached. Kept for parity (docs/CONTRASTIVE.md says what is wrong with
// it).
class WeightedSeed : public RowObjective {
 public:
  WeightedSeed(double beta, bool on_cosine) : beta_(beta), on_cosine_(on_cosine) {}

  RowLoss Forward(const RowBlock& rows) const override {
    const at::Tensor some = rows.count_R > 0;
    at::Tensor log_mean = at::zeros_like(rows.count_R);
    RowLoss result;
    if (beta_ > 0) {
      const at::Tensor exponent = Exponent(rows), log_sum = at::logsumexp(exponent, 1);
      log_mean = at::where(some, log_sum - rows.count_R.log(), 0.0);
      result.largest_weight_R = LargestWeight(rows, exponent.amax(1), log_sum);
    }
    const at::Tensor all =
        at::where(some, at::logsumexp(Moved(rows, log_mean.unsqueeze(1), nullptr), 1), -kInf);
    const at::Tensor gap = all - rows.positive_R;
    result.loss_R = Softplus(gap);
    result.positive_gradient_R = -at::sigmoid(gap);
    const at::Tensor norm = at::logaddexp(all, rows.positive_R);
    result.statistics_RK = at::stack({log_mean, norm}, 1);
    return result;
  }

  at::Tensor Gradient(RowBlock& piece, const at::Tensor& statistics_RK) const override {
    at::Tensor weights;
    at::Tensor moved = Moved(piece, Column(statistics_RK, 0), &weights);
    return moved.sub_(Column(statistics_RK, 1)).exp_().mul_(weights);
  }
  // Weights of some hundred multiply logits of some ten.
  bool needs_fp64() const override { return true; }

 private:
  at::Tensor Exponent(const RowBlock& rows) const {
    at::Tensor beta = BetaOn(rows, beta_, on_cosine_);
    if (!rows.pairs.hardness_RC.defined()) return rows.negatives_RC * beta;
    beta = beta * rows.pairs.hardness_RC;  // 0 times -inf is no number
    return (rows.negatives_RC * beta).masked_fill_(rows.negatives_RC == -kInf, -kInf);
  }
  at::Tensor Moved(const RowBlock& rows, const at::Tensor& log_mean, at::Tensor* weights) const {
    const at::Tensor& l = rows.negatives_RC;
    const at::Tensor none = l == -kInf;
    at::Tensor w = beta_ == 0 ? at::ones_like(l) : (Exponent(rows) - log_mean).exp_();
    at::Tensor moved = (w * l).masked_fill_(none, -kInf);
    if (weights != nullptr) *weights = std::move(w);
    return moved;
  }

  const double beta_;
  const bool on_cosine_;
};

// Hinge of one picked negative: [d(a, p) - d(a, v) + margin]+, d = 1 - cos, or the chord sqrt(2 - 2 cos).
class Triplet : public RowObjective {
 public:
  explicit Triplet(const TripletConfig& config) : config_(config) {}

  RowLoss Forward(const RowBlock& rows) const override {
    const at::Tensor some = rows.count_R > 0;
    const at::Tensor column = Pick(rows);
    const at::Tensor negative =
        at::where(some, rows.negatives_RC.gather(1, column.unsqueeze(1)).squeeze(1), -1.0);
    const at::Tensor hinge = Distance(rows.positive_R) - Distance(negative) + config_.margin;
    const at::Tensor active = (hinge > 0).logical_and(some).to(hinge.scalar_type());
    RowLoss result;
    result.loss_R = hinge * active;
    result.positive_gradient_R = active * Slope(rows.positive_R);
    // fp32 counts columns exactly up to 2^24.
    GRATICULE_CHECK(rows.negatives_RC.size(1) < (int64_t{1} << 24));
    result.statistics_RK =
        at::stack({(column + rows.first_column).to(hinge.scalar_type()), -active * Slope(negative)}, 1);
    return result;
  }

  at::Tensor Gradient(RowBlock& piece, const at::Tensor& statistics_RK) const override {
    at::Tensor gradient = piece.negatives_RC.zero_();
    const at::Tensor column = Column(statistics_RK, 0).to(at::kLong) - piece.first_column;
    const at::Tensor here = (column >= 0).logical_and(column < gradient.size(1));
    // Rows whose pick lies elsewhere add 0 to column 0.
    return gradient.scatter_add_(1, at::where(here, column, 0),
                                 at::where(here, Column(statistics_RK, 1), 0.0).to(gradient.scalar_type()));
  }
  bool needs_closeness() const override { return config_.pick != "semi_hard"; }
  bool uses_scale() const override { return false; }

 private:
  static constexpr double kTiny = 1e-12;  // two equal vectors have no direction to part

  at::Tensor Distance(const at::Tensor& cosine) const {
    return config_.distance == "cosine" ? 1 - cosine : at::sqrt(at::clamp_min(2 - 2 * cosine, kTiny));
  }
  at::Tensor Slope(const at::Tensor& cosine) const {
    if (config_.distance == "cosine") return -at::ones_like(cosine);
    return at::where(2 - 2 * cosine > kTiny, -1 / Distance(cosine), 0.0);
  }
  // Column of each row's negative; any where there is none.
  at::Tensor Pick(const RowBlock& rows) const {
    const at::Tensor& cosines = rows.negatives_RC;
    const at::Tensor none = cosines == -kInf;
    if (config_.pick == "farthest") return rows.closeness_RC.masked_fill(none, kInf).argmin(1);
    if (config_.pick == "far_near") {
      // Nearest places first, those that are no negatives last.
      const at::Tensor order =
          at::argsort(rows.closeness_RC.masked_fill(none, -kInf), /*stable=*/true, 1, /*descending=*/true);
      const at::Tensor count = rows.count_R.to(at::kDouble), half = (count / 2).floor();
      const at::Tensor far = rows.draws_R2.select(1, 0) < 0.5;
      const at::Tensor first = at::where(far, half, 0.0), size = at::where(far, count - half, half);
      const at::Tensor rank = (first + (rows.draws_R2.select(1, 1) * size).floor()).clamp_min(0);
      return order.gather(1, rank.to(at::kLong).unsqueeze(1)).squeeze(1);
    }
    // Farther than the positive, but within the margin; the nearest of these, else the nearest of all.
    const at::Tensor positive = rows.positive_R.unsqueeze(1);
    const at::Tensor bound = Distance(positive) + config_.margin;
    const at::Tensor semi = (cosines < positive).logical_and(Distance(cosines) < bound);
    const at::Tensor hardness = at::where(semi, cosines, -kInf);
    const auto [best, column] = hardness.max(1);
    return at::where(best == -kInf, cosines.argmax(1), column);
  }

  const TripletConfig config_;
};

// Each pair judged alone: -log sigma(z l) with z = +1 for the positive and -1 for every other column.
class SigLip : public RowObjective {
 public:
  RowLoss Forward(const RowBlock& rows) const override {
    RowLoss result;
    result.loss_R = Softplus(-rows.positive_R) + Softplus(rows.negatives_RC).sum(1);
    result.positive_gradient_R = -at::sigmoid(-rows.positive_R);
    result.statistics_RK = at::zeros({rows.positive_R.size(0), 1}, rows.positive_R.options());
    return result;
  }
  at::Tensor Gradient(RowBlock& piece, const at::Tensor&) const override {
    return piece.negatives_RC.sigmoid_();
  }
  bool has_bias() const override { return true; }
};

}  // namespace

at::Tensor RowObjective::LogSums(const RowBlock&, int64_t) const {
  GRATICULE_CHECK(sums_merge());
  return {};
}

RowLoss RowObjective::FromLogSums(const RowBlock&, const at::Tensor&) const {
  GRATICULE_CHECK(sums_merge());
  return {};
}

at::Tensor RowObjective::GradientBothWays(RowBlock& piece, const at::Tensor& statistics_RK, double share,
                                          const ColumnShare& columns) const {
  const int64_t paired = columns.statistics_CK.size(0);
  const auto paired_columns = [&](const at::Tensor& t) {
    return t.defined() ? t.narrow(1, 0, paired).t().clone() : t;
  };
  RowBlock turned = piece;
  turned.negatives_RC = paired_columns(piece.negatives_RC);
  turned.pairs.log_weights_RC = paired_columns(piece.pairs.log_weights_RC);
  at::Tensor gradient = Gradient(piece, statistics_RK).mul_(share);
  gradient.narrow(1, 0, paired).add_(Gradient(turned, columns.statistics_CK).t(), columns.share);
  return gradient;
}

std::unique_ptr<RowObjective> MakeRowObjective(const std::string& kind, const ContrastiveConfig& config) {
  const bool on_cosine = config.beta_on == "cosine";
  if (config.pair.use.starts_with("beta"))
    return std::make_unique<DistanceBeta>(config.beta, kind == "hcl" ? config.tau_plus : 0);
  if (kind == "infonce" && config.pair.use.starts_with("seed")) return std::make_unique<OfMovedLogits>();
  if (kind == "infonce") return std::make_unique<Reweighted>(0, false, 0, true);
  if (kind == "dcl") return std::make_unique<Reweighted>(0, false, config.tau_plus, true);
  if (kind == "weighted_add") return std::make_unique<Reweighted>(config.beta, on_cosine, 0, true);
  if (kind == "hcl")
    return std::make_unique<Reweighted>(config.beta, on_cosine, config.tau_plus, config.detach);
  if (kind == "weighted_seed") return std::make_unique<WeightedSeed>(config.beta, on_cosine);
  if (kind == "triplet") return std::make_unique<Triplet>(config.triplet);
  GRATICULE_CHECK(kind == "siglip", kind);
  return std::make_unique<SigLip>();
}

}  // namespace graticule
