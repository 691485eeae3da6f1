// The plans of a training (data.plan): which neighbours share batches, epoch by epoch.
//
// In <run>/order: `lists_%04d.safetensors`, the neighbour lists from that epoch on (data/loader/
// neighbour_lists.h), and `epoch_%04d.u32`, the plans (data/loader/plan_folder.h). Lists of epoch 0 are by
// distance; with kind similarity every data.plan.every_epochs epochs the model makes new ones, of the weights
// as they stand when the epoch begins, each rank a share. Rank 0 writes, all ranks map; hashes go into the
// state. What is lost is made again: plans from their lists, lists by distance from the data, lists by
// similarity only from a checkpoint of the step at which they were made - so one is forced there. One thread.
// Failure: Error(kCheckpoint) where that is impossible, or when something made again differs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "data/loader/neighbour_lists.h"
#include "data/loader/neighbour_shuffle.h"
#include "data/loader/plan_folder.h"
#include "trainer/checkpoint/train_state.h"
#include "trainer/comm/world.h"
#include "trainer/config/root_config.h"
#include "trainer/eval/predict_dataset.h"

namespace graticule {

class EpochPlans {
 public:
  // features: how records are read to be embedded.
  EpochPlans(const RootConfig& config, std::shared_ptr<const Dataset> train, PredictOptions features,
             World& world);

  std::shared_ptr<const PlanFolder> folder() const { return folder_; }
  // Whether the lists of this epoch are made when it begins, from the weights.
  bool NeedsWeights(int64_t epoch) const;
  // Collective. Opens the plan of an epoch. begun: samples of it were trained on already, so the state says
  // which plan it is; otherwise it is made, and the state is told.
  void PrepareCollective(int64_t epoch, bool begun, Recipe& recipe, TrainState& state);

 private:
  int64_t ListsEpoch(int64_t epoch) const;
  std::string ListsPath(int64_t lists_epoch) const;
  std::shared_ptr<const NeighbourLists> Lists(int64_t lists_epoch, const std::string& sha256);
  void WriteLists(int64_t lists_epoch, const std::vector<uint32_t>& lists_NK, const std::string& method);
  void MakeSimilarCollective(int64_t lists_epoch, Recipe& recipe);
  bool IsThere(int64_t epoch, const std::string& sha256);
  std::string MakePlan(int64_t epoch, bool begun, const TrainState& state, std::string& lists_sha256);

  PlanConfig config_;
  ShuffleOptions shuffle_;
  std::shared_ptr<const Dataset> train_;
  PredictOptions features_;
  World& world_;
  std::shared_ptr<PlanFolder> folder_;
};

}  // namespace graticule
