// Section `data:` of a configuration: which datasets, how images are cropped, and how the loader is sized.
//
// Plain values without torch or HDF5, so that every command can check and explain them. The model decides the
// image size and the training section the batch; both are passed in when loader options are made.
// Fails as a configuration error (exit code 2) through Section's checks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config/section.h"
#include "data/image/augment_options.h"

namespace graticule {

struct AugmentConfig {
  std::string kind = "random_resized_crop";
  std::vector<double> scale = {0.9, 1.0};         // share of the image's area
  std::vector<double> ratio = {0.75, 4.0 / 3.0};  // width / height of the crop
  std::string filter = "bicubic";
  void Bind(Section& s);
};

struct SamplingConfig {
  std::string by = "none";  // or "cell", "country"
  double alpha = 0.75;
  void Bind(Section& s);
};

struct BlockConfig {
  int64_t records = 0;  // 0: no block order
  int64_t pool = 0;
  void Bind(Section& s);
};

// Batches of neighbours: data/loader/neighbour_shuffle.h.
struct PlanConfig {
  std::string kind = "none";   // or "gps", "similarity"
  int64_t neighbours = 128;    // per record
  int64_t select = 64;         // of them, candidates
  double share = 0.5;          // of a batch, at most
  int64_t give_up = 1024;      // used records in a row
  double min_km = 0;           // of lists by distance
  double similar_min_km = 25;  // of lists by similarity
  int64_t every_epochs = 4;    // new lists by similarity
  void Bind(Section& s);
};

struct DataConfig {
  std::vector<std::string> train, val;  // dataset folders, concatenated in this order
  std::vector<std::string> train_split = {"train"};
  std::vector<std::string> val_split = {"val"};               // an empty list keeps all records
  std::vector<std::string> train_embeddings, val_embeddings;  // stores, one per folder; empty: images
  std::vector<double> mixture;                                // a weight per folder of train; empty: none
  BlockConfig block;
  PlanConfig plan;
  AugmentConfig augment;
  SamplingConfig sampling;
  double share = 1;                        // of the training records
  std::string decode = "exact";            // or "fast", "nvjpeg"; training only
  std::string exif_orientation = "apply";  // or "ignore"; the same in train, eval and predict
  std::string stage;                       // folder on the node's disk for copies of shards; empty: none
  double stage_gb = 0;                     // limit of all copies there; 0: what the disk holds
  int64_t threads = 0;                     // 0: CPUs of the rank's affinity mask
  int64_t depth = 3;
  int64_t max_bad = 0;        // 0: max(10, 0.1 % of records)
  int64_t epoch_samples = 0;  // 0: the whole dataset, tail dropped
  std::string stats;          // JSON file; empty: computed over the training split
  void Bind(Section& s);

  bool decodes_on_device() const { return decode == "nvjpeg"; }
  // How training images are made for a model of this input size, by the CPU: exact where the GPU decodes.
  AugmentOptions TrainAugment(int64_t image_size) const;
  // How evaluation and prediction see an image: centre crop with the same filter and orientation rule.
  AugmentOptions EvalAugment(int64_t image_size) const;
};

}  // namespace graticule
