// contrastive_tool CASES.json
//
// Contrastive losses for the parity tests. CASES is a list of {in, out, ranks, block, fp64, kernels, kind,
// gps_to_image, beta, beta_on, tau_plus, detach, mask_km, mask_same, pair, kappa, kappa_hard, variogram (a
// file), distance, margin, pick}. The ranks are threads that share the rows out evenly; kernels: fp32 by the
// bodies of the CUDA kernels.
//
// `in` holds fp64 tensors of the global batch: images [G * V, D], places [G, D], log_scale [], and where
// there are such candidates [S, D], negatives [G, M, D], bias []; latlon [G, 2], candidate_latlon [S, 2],
// negative_latlon [G * M, 2], keys [G, 3], candidate_keys [S, 3] i64, draws [G * V, 2], features [G * V, F],
// candidate_features [up to S, F].
//
// `out`: sum, correct, positive, left_out, floored, largest_weight (over all ranks) and d_<input> for each of
// the first six.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <mutex>

#include "base/error.h"
#include "losses/contrastive/contrastive_loss.h"
#include "tests/gpu/host_kernels.h"
#include "tests/parity/tensor_cases.h"
#include "trainer/comm/fake_communicator.h"

namespace graticule {
namespace {

std::vector<LatLon> LatLons(const Tensors& in, const char* name) {
  std::vector<LatLon> places;
  if (!in.contains(name)) return places;
  const at::Tensor& table = in.at(name);
  for (int64_t i = 0; i < table.size(0); ++i) {
    const double* row = table.const_data_ptr<double>() + 2 * i;
    places.push_back({row[0], row[1]});
  }
  return places;
}

std::vector<PairKeys> Keys(const Tensors& in, const char* name) {
  std::vector<PairKeys> keys;
  if (!in.contains(name)) return keys;
  const at::Tensor& table = in.at(name);
  for (int64_t i = 0; i < table.size(0); ++i) {
    const auto* row = reinterpret_cast<const uint64_t*>(table.const_data_ptr<int64_t>()) + 3 * i;
    keys.push_back({row[0], row[1], row[2]});
  }
  return keys;
}

Tensors RunCase(const nlohmann::json& c, const Tensors& in) {
  ContrastiveConfig config;
  config.gps_to_image = c.value("gps_to_image", 0.0);
  config.beta = c.value("beta", config.beta);
  config.beta_on = c.value("beta_on", config.beta_on);
  config.tau_plus = c.value("tau_plus", config.tau_plus);
  config.detach = c.value("detach", true);
  config.mask.km = c.value("mask_km", 0.0);
  config.mask.same = c.value("mask_same", std::vector<std::string>{});
  config.triplet.distance = c.value("distance", config.triplet.distance);
  config.triplet.margin = c.value("margin", config.triplet.margin);
  config.triplet.pick = c.value("pick", config.triplet.pick);
  const int ranks = c.value("ranks", 1);
  const at::ScalarType type = c.value("fp64", false) ? at::kDouble : at::kFloat;
  config.pair.use = c.value("pair", config.pair.use);
  config.pair.kappa_false = c.value("kappa", config.pair.kappa_false);
  config.pair.kappa_hard = c.value("kappa_hard", 0.0);
  std::optional<VariogramCurve> curve;
  if (c.contains("variogram")) curve = ReadVariogram(c.at("variogram").get<std::string>());
  const ContrastiveLoss loss(c.at("kind"), config, c.value("block", int64_t{0}), curve);

  const HostKernels kernels(2, 32);
  std::optional<ServedBy> served;
  if (c.value("kernels", false)) served.emplace(kernels);

  auto comms = MakeFakeCommunicators(ranks);
  std::mutex mutex;
  std::vector<Tensors> parts(static_cast<size_t>(ranks));
  RunRanks(ranks, [&](int rank) {
    const auto slice = [&](const char* name) {
      if (!in.contains(name)) return at::Tensor();
      const at::Tensor whole = in.at(name).to(type);
      const at::Tensor mine = whole.dim() == 0 ? whole : whole.chunk(ranks, 0)[rank];
      return mine.contiguous().clone().requires_grad_(true);
    };
    ContrastiveRows rows{slice("images"),
                         slice("places"),
                         slice("candidates"),
                         slice("negatives"),
                         loss.uses_scale() ? slice("log_scale") : at::Tensor(),
                         loss.has_bias() ? slice("bias") : at::Tensor()};
    ContrastivePlaces places{LatLons(in, "latlon"),
                             Keys(in, "keys"),
                             LatLons(in, "candidate_latlon"),
                             Keys(in, "candidate_keys"),
                             {},
                             {}};
    if (in.contains("candidate_km")) {
      const at::Tensor& km = in.at("candidate_km");
      places.candidate_km.assign(km.const_data_ptr<double>(), km.const_data_ptr<double>() + km.numel());
    }
    if (loss.needs_features()) {
      places.image_features = in.at("features").to(type);
      if (in.contains("candidate_features")) places.candidate_features = in.at("candidate_features").to(type);
    }
    const std::vector<LatLon> negatives = LatLons(in, "negative_latlon");
    const size_t share = negatives.size() / static_cast<size_t>(ranks);
    places.negatives.assign(negatives.begin() + static_cast<std::ptrdiff_t>(share * rank),
                            negatives.begin() + static_cast<std::ptrdiff_t>(share * (rank + 1)));
    if (loss.needs_draws()) {
      const at::Tensor mine = in.at("draws").chunk(ranks, 0)[rank].contiguous();
      places.draws.assign(mine.const_data_ptr<double>(), mine.const_data_ptr<double>() + mine.numel());
    }
    ContrastiveSums sums = loss.SumCollective(rows, places, *comms[static_cast<size_t>(rank)]);
    {
      const std::lock_guard lock(mutex);  // the engine runs one backward at a time here
      sums.sum.backward();
    }
    Tensors& mine = parts[static_cast<size_t>(rank)];
    const auto gradient = [&](const char* name, const at::Tensor& input) {
      if (input.defined()) mine[std::string("d_") + name] = input.grad();
    };
    gradient("images", rows.images_ID);
    gradient("places", rows.places_BD);
    gradient("candidates", rows.candidates_SD);
    gradient("negatives", rows.negatives_BMD);
    gradient("log_scale", rows.log_scale);
    gradient("bias", rows.bias);
    mine["sum"] = sums.sum.detach().to(at::kDouble);
    mine["correct"] = sums.correct;
    mine["positive"] = sums.positive;
    mine["left_out"] = sums.left_out;
    mine["floored"] = sums.floored;
    mine["largest_weight"] = sums.largest_weight;
  });
  Tensors whole;
  for (const auto& [name, first] : parts[0]) {
    std::vector<at::Tensor> all;
    for (const Tensors& part : parts) all.push_back(part.at(name));
    whole[name] = (first.dim() == 0 ? at::stack(all).sum(0) : at::cat(all)).contiguous();
  }
  return whole;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  using namespace graticule;
  return RunTensorCases(argc, argv, RunCase);
}
