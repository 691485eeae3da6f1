// A trained model from wherever it lies: an export, a run folder (its best checkpoint, else the newest), or
// one step folder.
//
// The result owns everything it needs and is ready to predict. Failure: Error(kUsage) when the path is no
// model, Error(kData) for a damaged export, Error(kCheckpoint) for a damaged checkpoint of ours.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/image/augment_options.h"
#include "geo/cell_table.h"
#include "geo/gallery.h"
#include "models/export.h"
#include "trainer/recipe.h"
#include "trainer/recipes/geoclip_config.h"

namespace graticule {

struct OpenedModel {
  std::unique_ptr<Recipe> recipe;
  // Where answers come from: one of them, and its file.
  std::shared_ptr<const CellTable> cells;
  std::shared_ptr<const Gallery> gallery;
  std::string answers_path;
  std::string pooling;      // ModelConfig::pooling
  LocationConfig location;  // geoclip
  Preprocessing preprocessing;
  std::string path;                 // as given
  std::string weights = "raw";      // or "ema": their moving average
  std::string weights_sha256;       // of the file that holds them
  uint64_t seed = 0;                // of a run
  int64_t step = -1;                // of training; -1: unknown
  std::string run_dir;              // empty for an export
  bool projection_trained = false;  // false: visual_projection holds what the start had
  // The run's data, empty for an export; paths as configured.
  std::vector<std::string> train, train_split, val, val_split;
  double train_share = 1;
  std::string training_data_sha256;

  std::optional<AugmentOptions> train_augment;  // of a run's training images

  AugmentOptions EvalAugment() const;
};

struct OpenOptions {
  c10::Device device = c10::kCPU;
  std::string precision = "fp32";
  std::string weights = "auto";  // "raw", "ema", or auto: ema where there is one
};

OpenedModel OpenModel(const std::string& path, const OpenOptions& options = {});

// Writes the model as a directory that Hugging Face transformers loads (models/export.h).
void ExportModel(const OpenedModel& model, const std::string& out_dir);

}  // namespace graticule
