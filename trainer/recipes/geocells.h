// The recipe `geocells`: a CLIP vision tower, a geocell head trained with distance-smoothed labels, and
// auxiliary heads (climate, month, six regressions) that a non-zero loss weight switches on. The place is the
// centre of the best cell.
//
// Outputs of Encode: geocell logits [B, K], then those of the heads in the order climate, month, regression,
// where present. State: the statistics that standardise the regression targets, fitted once over the training
// split. Rows without a place, without a containing cell, or without an auxiliary label are masked in that
// term. Source: PIGEON (arXiv 2307.05845) sections 3.2 to 3.4.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "geo/cell_table.h"
#include "losses/losses_config.h"
#include "losses/regression_targets.h"
#include "losses/soft_labels.h"
#include "models/heads.h"
#include "models/model_config.h"
#include "trainer/optim/optim_config.h"
#include "trainer/recipe.h"
#include "trainer/recipes/best_places.h"

namespace graticule {

struct GeocellsOptions {
  ModelConfig model;
  LossConfig loss;
  OptimConfig optim;
  std::shared_ptr<const CellTable> cells;
  std::string state = "{}";  // what State() returned once
  uint64_t seed = 0;
  bool random_init = true;  // false: parameters are filled by the caller, from a checkpoint or an export
  std::string precision = "fp32";
  c10::Device device = c10::kCPU;
};

class GeocellsRecipe : public Recipe {
 public:
  explicit GeocellsRecipe(const GeocellsOptions& options);

  // Statistics over the dataset, as the JSON object that GeocellsOptions::state takes.
  static std::string FitState(const LossConfig& loss, const Dataset& dataset);
  // One line per column that a head needs: "climate 97.3 %". Throws Error(kUsage) where a head that the
  // weights ask for has no label at all.
  static std::vector<std::string> CheckCoverage(const LossConfig& loss, const Dataset& dataset);
  // Names and sizes of the heads that the weights ask for; the geocell head comes first and is always there.
  static std::vector<Heads::Head> HeadsFor(const LossConfig& loss, int64_t cells);

  std::string name() const override { return "geocells"; }
  std::map<std::string, double> Weights(const Batch& batch) const override;
  std::vector<at::Tensor> Encode(const EncoderInput& input) override;
  std::string TowerOutputName() const override;
  std::string TowerHash() const override;
  std::vector<LossTerm> Terms(const std::vector<at::Tensor>& outputs, const Batch& batch,
                              Communicator& comm) override;
  bool additive() const override { return true; }
  std::vector<std::vector<Prediction>> Predict(const std::vector<at::Tensor>& outputs, int k,
                                               double near_km) override;
  std::vector<ParameterGroup> Groups() override;
  std::vector<NamedTensor> Parameters() override;
  std::string State() const override;

  const std::string& pooling() const { return options_.model.pooling; }
  VisionTower& tower() override { return tower_; }
  Heads& heads() { return heads_; }
  const CellTable& cells() const { return *options_.cells; }

 private:
  std::vector<int64_t> CellsOf(const Batch& batch) const;
  at::Tensor TermOf(const std::string& head, const at::Tensor& output, const Batch& batch) const;

  GeocellsOptions options_;
  VisionTower tower_;
  Heads heads_;
  SoftLabels soft_labels_;
  RegressionTargets regression_;
  PlaceChoice choice_;
};

}  // namespace graticule
