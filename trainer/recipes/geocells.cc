#include "trainer/recipes/geocells.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "losses/auxiliary_loss.h"
#include "losses/geocell_loss.h"
#include "models/frozen_tower.h"
#include "trainer/optim/parameter_groups.h"

namespace graticule {
namespace {

double WeightOf(const LossConfig& loss, const std::string& head) {
  const LossWeights& w = loss.weights;
  return head == "geocell"   ? w.geocell
         : head == "climate" ? w.climate
         : head == "month"   ? w.month
                             : w.regression;
}

RegressionTargets ParseState(const std::string& text, const LossConfig& loss) {
  RegressionTargets targets;
  targets.elevation_offset_m = loss.elevation_offset_m;
  try {
    const auto json = nlohmann::json::parse(text);
    if (!json.contains("regression")) return targets;
    json.at("regression").at("mean").get_to(targets.mean);
    json.at("regression").at("deviation").get_to(targets.deviation);
    json.at("regression").at("elevation_offset_m").get_to(targets.elevation_offset_m);
  } catch (const nlohmann::json::exception& error) {
    throw Error(
        ErrorCode::kUsage, fmt::format("found malformed regression statistics: {}", error.what()),
        "data.stats",
        R"(expected {"regression": {"mean": [6 numbers], "deviation": [6 numbers], "elevation_offset_m": number}})");
  }
  return targets;
}

std::string FormatState(const RegressionTargets& targets) {
  const nlohmann::json json = {{"regression",
                                {{"mean", targets.mean},
                                 {"deviation", targets.deviation},
                                 {"elevation_offset_m", targets.elevation_offset_m}}}};
  return json.dump();
}

bool HasPlace(LatLon place) { return std::isfinite(place.lat_deg) && std::isfinite(place.lon_deg); }

}  // namespace

std::vector<Heads::Head> GeocellsRecipe::HeadsFor(const LossConfig& loss, int64_t cells) {
  std::vector<Heads::Head> heads{{"geocell", cells}};
  if (loss.weights.climate > 0) heads.push_back({"climate", kClimateClasses});
  if (loss.weights.month > 0) heads.push_back({"month", kMonthClasses});
  if (loss.weights.regression > 0) heads.push_back({"regression", kRegressionTargets});
  return heads;
}

std::vector<std::string> GeocellsRecipe::CheckCoverage(const LossConfig& loss, const Dataset& dataset) {
  std::vector<std::string> lines;
  const auto check = [&](const std::string& head, const std::vector<std::string>& columns) {
    if (WeightOf(loss, head) <= 0) return;
    double best = 0;
    for (const std::string& column : columns) {
      const double coverage = dataset.Coverage(column);
      best = std::max(best, coverage);
      lines.push_back(fmt::format("{} {:.1f} %", column, 100 * coverage));
    }
    if (best > 0) return;
    throw Error(ErrorCode::kUsage,
                fmt::format("loss.weights.{} is {}, but no training record has a value in {}", head,
                            WeightOf(loss, head), fmt::join(columns, ", ")),
                "",
                fmt::format("set loss.weights.{}=0, or add the column with `graticule data enrich`", head));
  };
  check("climate", {"climate"});
  check("month", {"month"});
  check("regression", {std::begin(kAuxColumns), std::end(kAuxColumns)});
  return lines;
}

std::string GeocellsRecipe::FitState(const LossConfig& loss, const Dataset& dataset) {
  if (loss.weights.regression <= 0) return "{}";
  std::vector<float> raw_N6;
  raw_N6.reserve(static_cast<size_t>(dataset.size()) * kAuxColumnCount);
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const RecordMeta meta = dataset.meta(i);
    raw_N6.insert(raw_N6.end(), std::begin(meta.aux), std::end(meta.aux));
  }
  return FormatState(RegressionTargets::Fit(raw_N6, loss.elevation_offset_m));
}

GeocellsRecipe::GeocellsRecipe(const GeocellsOptions& options)
    : options_(options),
      tower_(options.model.vision,
             options.random_init ? std::optional<uint64_t>(options.seed) : std::nullopt),
      heads_(options.model.vision.width, HeadsFor(options.loss, options.cells->size()),
             options.random_init ? std::optional<uint64_t>(options.seed) : std::nullopt),
      soft_labels_(options.cells->centres(),
                   {options.loss.label, options.loss.tau_km, options.loss.normalise}),
      regression_(ParseState(options.state, options.loss)),
      choice_(PlaceChoice::OfCells(options.cells->centres())) {
  const bool cls = options.model.pooling == "cls";
  tower_.Freeze(options.model.frozen_layers, /*pooler_used=*/cls, /*embeds_used=*/false);
  tower_.set_recompute(options.model.recompute);
  if (options.precision == "bf16") tower_.set_compute_dtype(at::kBFloat16);
  if (options.device.type() != c10::kCPU) {
    tower_.To(options.device);
    heads_.To(options.device);
  }
}

std::vector<int64_t> GeocellsRecipe::CellsOf(const Batch& batch) const {
  std::vector<int64_t> cells(batch.places.size(), -1);
  for (size_t b = 0; b < cells.size(); ++b) {
    if (HasPlace(batch.places[b])) cells[b] = options_.cells->CellOf(batch.places[b]).value_or(-1);
  }
  return cells;
}

std::map<std::string, double> GeocellsRecipe::Weights(const Batch& batch) const {
  std::map<std::string, double> weights;
  for (const Heads::Head& head : heads_.heads()) {
    if (head.name == "geocell") {
      weights[head.name] = SoftLabels::CountLabelled(batch.places, CellsOf(batch));
    } else if (head.name == "regression") {
      std::vector<float> targets(batch.aux_B6.size());
      regression_.Forward(batch.aux_B6, targets.data());
      weights[head.name] = CountLabelled(std::span<const float>(targets));
    } else {
      weights[head.name] =
          CountLabelled(std::span<const int32_t>(head.name == "climate" ? batch.climate : batch.month));
    }
  }
  return weights;
}

std::string GeocellsRecipe::TowerOutputName() const { return TowerOutputOf(options_.model.pooling); }

std::string GeocellsRecipe::TowerHash() const { return TowerSha256(tower_); }

std::vector<at::Tensor> GeocellsRecipe::Encode(const EncoderInput& input) {
  if (input.embeddings_BD.defined()) return heads_.Forward(input.embeddings_BD);
  const bool cls = options_.model.pooling == "cls";
  const VisionOutput output = tower_.Forward(input.images_B3HW, /*needs_pooler=*/cls, /*needs_embeds=*/false);
  return heads_.Forward(Pool(output, options_.model.pooling));
}

at::Tensor GeocellsRecipe::TermOf(const std::string& head, const at::Tensor& output,
                                  const Batch& batch) const {
  const auto device = output.device();
  const auto floats = at::TensorOptions().dtype(at::kFloat);
  if (head == "geocell") {
    at::Tensor labels_BK = at::empty({batch.size, options_.cells->size()}, floats);
    soft_labels_.Fill(batch.places, CellsOf(batch), labels_BK.mutable_data_ptr<float>());
    return SoftCrossEntropySum(output, labels_BK.to(device));
  }
  if (head == "regression") {
    at::Tensor targets_B6 = at::empty({batch.size, kRegressionTargets}, floats);
    regression_.Forward(batch.aux_B6, targets_B6.mutable_data_ptr<float>());
    return SquaredErrorSum(output, targets_B6.to(device));
  }
  const std::vector<int32_t>& labels = head == "climate" ? batch.climate : batch.month;
  return ClassCrossEntropySum(output, at::tensor(labels, at::TensorOptions().dtype(at::kLong)).to(device));
}

std::vector<LossTerm> GeocellsRecipe::Terms(const std::vector<at::Tensor>& outputs, const Batch& batch,
                                            Communicator& comm) {
  std::vector<LossTerm> terms;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& head = heads_.heads()[i].name;
    terms.push_back({head, TermOf(head, outputs[i], batch), WeightOf(options_.loss, head)});
  }
  return terms;
}

std::vector<std::vector<Prediction>> GeocellsRecipe::Predict(const std::vector<at::Tensor>& outputs, int k,
                                                             double near_km) {
  const torch::autograd::AutoGradMode no_grad(false);
  return choice_.Best(outputs.at(0), k, near_km);
}

std::vector<ParameterGroup> GeocellsRecipe::Groups() {
  return BuildParameterGroups(Parameters(), options_.model.vision.layers, options_.optim);
}

std::vector<NamedTensor> GeocellsRecipe::Parameters() {
  std::vector<NamedTensor> all = tower_.parameters();
  all.insert(all.end(), heads_.parameters().begin(), heads_.parameters().end());
  return all;
}

std::string GeocellsRecipe::State() const {
  return options_.loss.weights.regression > 0 ? FormatState(regression_) : "{}";
}

}  // namespace graticule
