// The things a training is made of, opened and built from a configuration: data, cells, model, gradients,
// optimiser.
//
// Building order is the order of the fields; everything lives as long as this object. Rank 0 opens files
// first, so that a mistake in them is reported once. Failure: Error(kUsage) for what the configuration asks
// of the data and cannot have, Error(kData) for unreadable data.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/loader/loader.h"
#include "geo/cell_table.h"
#include "geo/gallery.h"
#include "trainer/checkpoint/tensor_file.h"
#include "trainer/checkpoint/train_state.h"
#include "trainer/comm/world.h"
#include "trainer/config/root_config.h"
#include "trainer/eval/predict_dataset.h"
#include "trainer/optim/optimizer.h"
#include "trainer/order/epoch_plans.h"
#include "trainer/recipe.h"
#include "trainer/step/train_step.h"
#include "trainer/sync/grad_sync.h"

namespace graticule {

struct TrainingData {
  std::shared_ptr<const Dataset> train, val;                               // val is null without data.val
  std::shared_ptr<const EmbeddingStore> train_embeddings, val_embeddings;  // null: images
  std::shared_ptr<const CellTable> cells;                                  // null without cells.file
  std::shared_ptr<const Gallery> gallery;                                  // null where the recipe has none
  std::vector<std::string> coverage;                                       // one line per label column in use

  // Reads the datasets where they are.
  static TrainingData Open(const RootConfig& config);
  // With data.stage: copies the shards to this node's disk first, once per node, and reads them there.
  static TrainingData OpenCollective(const RootConfig& config, Communicator& control);
  // The hashes of all of these, in the fields of a state.
  void FillHashes(TrainState& state) const;
};

struct TrainingParts {
  std::unique_ptr<Recipe> recipe;
  std::vector<NamedTensor> trainable;
  std::unique_ptr<GradSync> sync;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<WeightAverage> average;  // null without optim.ema_decay
  std::unique_ptr<TrainStep> step;
  std::unique_ptr<EpochPlans> plans;  // null: the order is computed
  std::unique_ptr<Loader> loader;

  // state: of the checkpoint to go on from, or a fresh one with seed and recipe state filled in.
  static TrainingParts BuildCollective(const RootConfig& config, const TrainingData& data,
                                       const TrainState& state, bool random_init, World& world);
  // All of these that change from step to step.
  CheckpointTensors Tensors() const;
};

// Compute threads of this rank: the configured number, else the stored one, else the CPUs it may use.
int PlannedThreads(const RootConfig& config, const TrainState& state, const World& world);

c10::Device DeviceOf(const World& world);

// How validation and evaluation read a dataset with this configuration.
PredictOptions EvaluationOptions(const RootConfig& config, const World& world);

struct NamedStore {
  const EmbeddingStore* embeddings;  // may be null: then there is nothing to check
  std::string name;
};
// Throws Error(kUsage) unless the embeddings are what the recipe's own tower would make of the images. Hashes
// the tower, once for all of them.
void CheckTower(const Recipe& recipe, const std::vector<NamedStore>& stores);

}  // namespace graticule
