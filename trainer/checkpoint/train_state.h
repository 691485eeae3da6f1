// `state.json` of a checkpoint: where a training stands, and what it must find again to go on the same way.
//
// Everything else follows from the step: the learning rate, and the position in the data (epoch and batch).
// Versioned; a newer format_version than ours is Error(kCheckpoint).
#pragma once

#include <cstdint>
#include <string>

namespace graticule {

struct TrainState {
  int64_t step = 0;         // optimiser steps done, skipped ones included
  int64_t samples = 0;      // step * global_batch
  int64_t total_steps = 0;  // of the whole run
  int64_t batches_per_epoch = 0;
  int64_t global_batch = 0;
  int64_t skipped = 0;  // non-finite steps whose update was left out
  uint64_t seed = 0;
  std::string order;  // the loader's order algorithm
  int threads = 0;    // compute threads per rank
  int world_size = 0;
  std::string data_sha256;
  std::string cells_sha256, gallery_sha256;  // empty: the recipe has none
  std::string embeddings_sha256;             // of the store trained on; empty: images
  std::string plan_sha256;          // of the epoch that the step lies in; empty: the order is computed
  std::string lists_sha256;         // neighbour lists that the plan was made from
  std::string recipe_state = "{}";  // JSON object that the recipe wrote (regression statistics)
  std::string best_metric;          // empty: nothing validated yet
  double best_value = 0;
  int64_t best_step = 0;

  bool finished() const { return total_steps > 0 && step >= total_steps; }
};

std::string ToJson(const TrainState& state);
// where: the file, for errors.
TrainState TrainStateFromJson(const std::string& text, const std::string& where);

}  // namespace graticule
