// Everything a training is told: one struct per section, each bound beside its owner. Torch-free, so that the
// millisecond command knows every key.
//
//   RootConfig config;
//   Section root;
//   config.Bind(root);
//   ConfigResult result = ResolveConfig(root, files, overrides);
//   result.ThrowIfBad();
//
// `root` points into `config`: keep both in place. Not thread-safe.
#pragma once

#include "data/data_config.h"
#include "losses/losses_config.h"
#include "models/model_config.h"
#include "trainer/checkpoint/checkpoint_config.h"
#include "trainer/comm/comm_config.h"
#include "trainer/config/cells_config.h"
#include "trainer/config/run_config.h"
#include "trainer/eval/eval_config.h"
#include "trainer/optim/optim_config.h"
#include "trainer/optim/schedule_config.h"
#include "trainer/recipes/recipe_config.h"
#include "trainer/step/log_config.h"
#include "trainer/step/train_config.h"

namespace graticule {

struct RootConfig {
  RunConfig run;
  DataConfig data;
  CellsConfig cells;
  ModelConfig model;
  RecipeConfig recipe;
  LossConfig loss;
  OptimConfig optim;
  ScheduleConfig schedule;
  TrainConfig train;
  CheckpointConfig checkpoint;
  EvalConfig eval;
  CommConfig comm;
  LogConfig log;

  // Also adds the rules between sections.
  void Bind(Section& root);
};

}  // namespace graticule
