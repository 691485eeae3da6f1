// declip_tool CASES.json
//
// The terms of DeCLIP for the parity tests. CASES is a list of {term, in, out, ranks, fp64, ...}; `in` holds
// fp64 tensors of the global batch of G samples with V views, the ranks are threads that share the samples
// out evenly, `out` holds sums over all ranks, and gradients as d_<input>.
//
// term simsiam: views, width, hidden; features [G * V, D] and the heads under their names. -> sum.
// term nearest: bank, min_km, max_km, after, mask_km, mask_same; images [G * V, D], places [G, D],
// log_scale [], latlon [G, 2], keys [G, 3], bank_emb [N, D], bank_latlon [N, 2], which enter the bank first.
// -> mean (what the step makes of the sum), found, and the bank after the step.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <mutex>

#include "base/error.h"
#include "losses/simsiam/simsiam_loss.h"
#include "models/simsiam_heads.h"
#include "tests/parity/tensor_cases.h"
#include "trainer/comm/fake_communicator.h"
#include "trainer/recipes/nearest_term.h"

namespace graticule {
namespace {

class Case {
 public:
  Case(const nlohmann::json& words, const Tensors& in)
      : words_(words), in_(in), ranks_(words.value("ranks", 1)), parts_(static_cast<size_t>(ranks_)) {}

  Tensors Run() {
    auto comms = MakeFakeCommunicators(ranks_);
    RunRanks(ranks_, [&](int rank) {
      Communicator& comm = *comms[static_cast<size_t>(rank)];
      words_.at("term") == "simsiam" ? SimSiam(rank, comm) : Nearest(rank, comm);
    });
    Tensors whole;
    for (const auto& [name, first] : parts_[0]) {
      std::vector<at::Tensor> all;
      for (const Tensors& part : parts_) all.push_back(part.at(name));
      const bool rows = name == "d_features" || name == "d_images";
      const bool replica = name.starts_with("nn_bank.");
      for (const at::Tensor& part : all)
        GRATICULE_CHECK(!replica || at::equal(part.nan_to_num(), first.nan_to_num()));
      whole[name] = (replica ? first : rows ? at::cat(all) : at::stack(all).sum(0)).contiguous();
    }
    return whole;
  }

 private:
  at::Tensor Input(const std::string& name) const {
    const at::ScalarType type = words_.value("fp64", false) ? at::kDouble : at::kFloat;
    return in_.at(name).to(type).clone().requires_grad_(true);
  }
  at::Tensor Share(const std::string& name, int rank) const {
    return Input(name).detach().chunk(ranks_, 0)[rank].contiguous().clone().requires_grad_(true);
  }
  std::vector<LatLon> LatLons(const char* name) const {
    std::vector<LatLon> places;
    const at::Tensor table = in_.at(name).contiguous();
    for (int64_t i = 0; i < table.size(0); ++i) {
      const double* row = table.const_data_ptr<double>() + 2 * i;
      places.push_back({row[0], row[1]});
    }
    return places;
  }
  void Backward(const at::Tensor& sum) {
    static std::mutex mutex;  // the engine runs one backward at a time here
    const std::lock_guard lock(mutex);
    if (sum.requires_grad()) sum.backward();
  }

  void SimSiam(int rank, Communicator& comm) {
    const at::Tensor features = Share("features", rank);
    const SimSiamShape shape{features.size(1), words_.at("width"), words_.at("hidden")};
    std::vector<NamedTensor> heads = MakeSimSiamHeads(shape, std::nullopt);
    std::vector<at::Tensor> parameters;
    for (NamedTensor& head : heads) {
      const at::Tensor given = Input(head.name);
      GRATICULE_CHECK(given.sizes() == head.tensor.sizes(), head.name);
      head.tensor = given;
      parameters.push_back(given);
    }
    const at::Tensor sum = SimSiamSumCollective(features, words_.at("views"), parameters, comm);
    Backward(sum);
    Tensors& mine = parts_[static_cast<size_t>(rank)];
    mine["sum"] = sum.detach();
    mine["d_features"] = features.grad();
    for (const NamedTensor& head : heads) mine["d_" + head.name] = head.tensor.grad();
  }

  void Nearest(int rank, Communicator& comm) {
    NearestConfig config;
    config.bank = words_.at("bank");
    config.min_km = words_.at("min_km");
    config.max_km = words_.at("max_km");
    config.after = 100;
    MaskConfig mask;
    mask.km = words_.value("mask_km", 0.0);
    mask.same = words_.value("mask_same", std::vector<std::string>{});
    const ContrastiveRows rows{Share("images", rank), Share("places", rank), {}, {}, Input("log_scale"), {}};
    ContrastivePlaces known;
    known.batch = LatLons("latlon");
    const at::Tensor keys = in_.at("keys").contiguous();
    for (int64_t i = 0; i < keys.size(0); ++i) {
      const auto* key = reinterpret_cast<const uint64_t*>(keys.const_data_ptr<int64_t>()) + 3 * i;
      known.batch_keys.push_back({key[0], key[1], key[2]});
    }
    NearestTerm term(config, mask, rows.places_BD.size(1), at::kCPU);
    // What the bank holds comes from a batch of its own.
    ContrastivePlaces before;
    before.batch = LatLons("bank_latlon");
    const auto mine_of = [&](const char* name) {
      return in_.at(name).to(rows.places_BD.scalar_type()).chunk(ranks_, 0)[rank].contiguous();
    };
    const at::Tensor entries = mine_of("bank_emb");
    term.SumCollective({entries, entries, {}, {}, rows.log_scale, {}}, before, 0, comm);
    term.Push();
    const NearestSums sums = term.SumCollective(rows, known, words_.value("first_sample", 100), comm);
    Backward(sums.sum);
    term.Push();
    Tensors& mine = parts_[static_cast<size_t>(rank)];
    mine["mean"] = sums.sum.detach() / in_.at("images").size(0);
    mine["found"] = sums.found;
    const auto gradient = [&](const char* name, const at::Tensor& input) {
      mine[name] = input.grad().defined() ? input.grad() / in_.at("images").size(0) : at::zeros_like(input);
    };
    gradient("d_images", rows.images_ID);
    gradient("d_log_scale", rows.log_scale);
    GRATICULE_CHECK(!rows.places_BD.grad().defined());
    for (const NamedTensor& t : term.tensors()) mine[t.name] = t.tensor.clone();
  }

  const nlohmann::json& words_;
  const Tensors& in_;
  const int ranks_;
  std::vector<Tensors> parts_;
};

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  using namespace graticule;
  return RunTensorCases(argc, argv,
                        [](const nlohmann::json& words, const Tensors& in) { return Case(words, in).Run(); });
}
