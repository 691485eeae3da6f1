#include "tests/gpu/contrastive_check.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>

#include "base/comm/communicator.h"
#include "base/error.h"
#include "losses/contrastive/contrastive_loss.h"
#include "losses/contrastive/fused_sums.h"

namespace graticule {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// Of two tensors with their infinities at the same places, relative to the largest of the expected ones.
double Error64(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor x = found.cpu().to(at::kDouble), y = expected.to(at::kDouble), odd = y.isinf();
  if (!at::equal(x.masked_select(odd), y.masked_select(odd))) return kInf;
  const at::Tensor difference = (x - y).masked_fill(odd, 0).abs().max();
  return (difference / y.masked_fill(odd, 0).abs().max().clamp_min(1e-30)).item<double>();
}

void Expect(double error, double bound, const std::string& what) {
  if (error <= bound) return;  // NaN does not
  throw Error(ErrorCode::kBug, what + " differs by " + std::to_string(error), "CheckContrastive",
              "expected at most " + std::to_string(bound));
}

// log sum e^(slope l), and the share of each value in it.
at::Tensor LogSums64(const at::Tensor& logits, int64_t dim, double slope) {
  return at::logsumexp(logits.to(at::kDouble) * slope, dim);
}
at::Tensor Shares64(const at::Tensor& logits, int64_t dim, double slope) {
  const at::Tensor shares =
      (logits.to(at::kDouble) * slope - LogSums64(logits, dim, slope).unsqueeze(dim)).exp();
  return shares.masked_fill(logits == -kInf, 0);
}

double CheckKernels(c10::Device device, int64_t rows, int64_t columns) {
  double worst = 0;
  for (const Slopes slopes : {Slopes{1, -1}, Slopes{1.5f, 0.5f}, Slopes{3, 2}}) {
    const std::string size = std::to_string(rows) + " x " + std::to_string(columns);
    const at::Tensor logits = at::randn({rows, columns + 3}).mul_(20).narrow(1, 2, columns);
    logits.masked_fill_(at::rand(logits.sizes()) < 0.05, -kInf);
    at::Tensor there = logits.contiguous().to(device);
    if (!FusedSumsApply(there)) throw Error(ErrorCode::kBug, "the kernels do not take fp32 logits");
    const bool flat = slopes.flat >= 0;
    at::Tensor gradient = at::zeros({rows, columns}, at::kDouble), statistics[2];
    for (const int64_t dim : {1, 0}) {
      const at::Tensor steep = LogSums64(logits, dim, slopes.steep),
                       other = flat ? LogSums64(logits, dim, slopes.flat) : steep;
      const double error = Error64(FusedLogSums(there, dim, slopes), at::stack({steep, other}, 1));
      Expect(error, 1e-6, "log sums along dimension " + std::to_string(dim) + " of " + size);
      worst = std::max(worst, error);
      statistics[dim] =
          at::stack({steep, other, at::full_like(steep, 0.25 + 0.5 * static_cast<double>(dim))}, 1);
      // As the objective has them: a line without a negative has sums of +inf, and every weight is 0.
      statistics[dim] = statistics[dim].masked_fill(statistics[dim] == -kInf, kInf).to(at::kFloat).to(device);
      at::Tensor by_line = Shares64(logits, dim, slopes.steep);
      if (flat) by_line = by_line * slopes.steep - slopes.flat * Shares64(logits, dim, slopes.flat);
      gradient += by_line * (dim == 1 ? 0.75 * 0.6 : 0.25 * 0.4);
    }
    FusedGradient(there, slopes, statistics[1], 0.6f, statistics[0], 0.4f);
    const double error = Error64(there, gradient);
    Expect(error, 2e-4,
           "the gradient of " + size);  // fp32 knows exponents of 300 to 3e-5, times a slope of 3
    worst = std::max(worst, error);
  }
  return worst;
}

// Sum of a loss and its gradients, on a device and in a type.
struct Run {
  ContrastiveRows rows;
  at::Tensor sum;

  Run(const std::string& kind, const ContrastiveConfig& config, c10::Device device, at::ScalarType type) {
    constexpr int64_t kCount = 75, kCandidates = 50, kWidth = 24;
    at::manual_seed(5);
    const auto unit = [](const at::Tensor& x) { return x / x.norm(2, {1}, true); };
    const auto leaf = [&](const at::Tensor& x) { return x.to(device, type).requires_grad_(true); };
    const at::Tensor images = at::randn({kCount, kWidth}, at::kDouble);
    rows.images_ID = leaf(unit(images));
    rows.places_BD = leaf(unit(images + at::randn({kCount, kWidth}, at::kDouble)));
    rows.candidates_SD = leaf(unit(at::randn({kCandidates, kWidth}, at::kDouble)));
    const ContrastiveLoss loss(kind, config, /*block_values=*/20 * (kCount + kCandidates));
    if (loss.uses_scale()) rows.log_scale = leaf(at::scalar_tensor(std::log(30.0), at::kDouble));
    if (loss.has_bias()) rows.bias = leaf(at::scalar_tensor(-5.0, at::kDouble));
    ContrastivePlaces places;
    for (int64_t i = 0; i < kCount; ++i) places.batch.push_back({40, 0.05 * static_cast<double>(i % 40)});
    for (int64_t i = 0; i < kCandidates; ++i)
      places.candidates.push_back({40.02, 0.07 * static_cast<double>(i)});
    places.batch[3].lat_deg = std::nan("");
    for (uint64_t i = 0; i < kCount + kCandidates; ++i)
      (i < kCount ? places.batch_keys : places.candidate_keys).push_back({i % 7, i % 9, i % 11});
    for (int64_t i = 0; loss.needs_draws() && i < 2 * kCount; ++i)
      places.draws.push_back(std::fmod(0.618034 * static_cast<double>(i), 1));
    sum = loss.SumCollective(rows, places, *MakeSingleCommunicator()).sum;
    sum.backward();
  }
};

double CheckLoss(const std::string& kind, const ContrastiveConfig& config, c10::Device device) {
  const Run there(kind, config, device, at::kFloat), here(kind, config, at::kCPU, at::kDouble);
  double worst = 0;
  const auto compare = [&](const std::string& what, const at::Tensor& found, const at::Tensor& expected) {
    if (!expected.defined()) return;
    const double error = Error64(found, expected);
    // The scalars' gradients are sums over all pairs, of both signs.
    Expect(error, found.dim() == 0 ? 5e-3 : 2e-4, kind + ": " + what);
    worst = std::max(worst, error);
  };
  compare("the sum", there.sum.detach(), here.sum.detach());
  for (const auto& [what, member] : {std::pair{"images", &ContrastiveRows::images_ID},
                                     {"places", &ContrastiveRows::places_BD},
                                     {"candidates", &ContrastiveRows::candidates_SD},
                                     {"log_scale", &ContrastiveRows::log_scale},
                                     {"bias", &ContrastiveRows::bias}}) {
    if ((here.rows.*member).defined())
      compare(std::string("gradient of ") + what, (there.rows.*member).grad(), (here.rows.*member).grad());
  }
  return worst;
}

}  // namespace

void CheckContrastive(c10::Device device) {
  at::manual_seed(11);
  double kernels = 0, losses = 0;
  for (const auto& [rows, columns] :
       {std::pair{1, 1}, {2, 31}, {67, 33}, {33, 1025}, {700, 8195}, {3, 100'003}})
    kernels = std::max(kernels, CheckKernels(device, rows, columns));
  for (const std::string& kind : ContrastiveKinds()) {
    for (const double reverse : {0.0, 0.3}) {
      for (const double km : {0.0, 12.0}) {
        ContrastiveConfig config;
        config.gps_to_image = reverse, config.mask.km = km;
        if (km > 0) config.mask.same = {"author"};
        losses = std::max(losses, CheckLoss(kind, config, device));
        config.beta = 1, config.tau_plus = 1e-3, config.detach = false, config.beta_on = "cosine";
        losses = std::max(losses, CheckLoss(kind, config, device));
      }
    }
  }
  std::printf("contrastive: kernels %.1e, losses %.1e relative to fp64 on the CPU\n", kernels, losses);
}

}  // namespace graticule
