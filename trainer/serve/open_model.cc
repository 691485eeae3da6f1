#include "trainer/serve/open_model.h"

#include <fmt/format.h>

#include "base/config/resolve.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/run/checkpoint_store.h"
#include "trainer/checkpoint/tensor_file.h"
#include "trainer/checkpoint/train_state.h"
#include "trainer/config/root_config.h"

namespace graticule {
namespace {

constexpr char kState[] = "recipe_state", kPooling[] = "pooling", kProjection[] = "visual_projection",
               kStep[] = "step";

TrainState ReadState(const std::string& step_dir) {
  const std::string path = JoinPath(step_dir, "state.json");
  return TrainStateFromJson(ReadFileToString(path), path);
}

// The best step by validation where there is one, else the newest that verifies.
std::string ChooseStep(const std::string& run_dir) {
  const CheckpointStore store(PosixFs(), JoinPath(run_dir, "ckpt"));
  const CheckpointScan scan = store.FindNewestValid();
  scan.ThrowIfOnlyDamaged();
  if (scan.none()) {
    throw Error(ErrorCode::kCheckpoint, "the run has no checkpoint yet", run_dir,
                "train it, or name an export");
  }
  const std::optional<int64_t> best = store.BestStep();
  return best ? store.DirOf(*best) : scan.newest->dir;
}

OpenedModel OpenStep(const std::string& step_dir, const OpenOptions& how) {
  VerifyCheckpoint(step_dir);
  OpenedModel model;
  model.run_dir = DirName(DirName(step_dir));
  RootConfig config;
  Section root;
  config.Bind(root);
  // The shape is resolved already; the files that the weights once came from may be gone.
  ResolveConfig(root, {JoinPath(model.run_dir, "resolved.yaml")}, {"model.init=''"}).ThrowIfBad();
  const TrainState state = ReadState(step_dir);
  model.cells_path = JoinPath(model.run_dir, "cells.safetensors");
  model.cells = CellTable::Load(model.cells_path);
  if (model.cells->Sha256() != state.cells_sha256) {
    throw Error(ErrorCode::kCheckpoint,
                fmt::format("the cells are {}, the checkpoint was trained with {}", model.cells->Sha256(),
                            state.cells_sha256),
                model.cells_path, "put the cells back that the run was trained with");
  }
  GeocellsOptions options;
  options.model = config.model;
  options.loss = config.loss;
  options.cells = model.cells;
  options.state = state.recipe_state;
  options.random_init = false;
  options.precision = how.precision;
  options.device = how.device;
  model.recipe = std::make_unique<GeocellsRecipe>(options);
  const std::string weights = JoinPath(step_dir, "model.safetensors");
  CopyTensors(ReadTensors(weights), model.recipe->Parameters(), weights);
  model.weights_sha256 = Sha256HexOfFile(weights);
  model.preprocessing.image_size = config.model.vision.image_size;
  model.preprocessing.filter = config.data.augment.filter;
  model.preprocessing.exif_orientation = config.data.exif_orientation;
  model.train_augment = config.data.TrainAugment(config.model.vision.image_size);
  model.step = state.step;
  model.seed = state.seed;
  model.train = config.data.train;
  model.train_split = config.data.train_split;
  model.train_share = config.data.share;
  model.training_data_sha256 = state.data_sha256;
  model.val = config.data.val;
  model.val_split = config.data.val_split;
  return model;
}

// The loss section of an export: only which heads there are matters.
LossConfig LossOf(const ExportedModel& exported) {
  LossConfig loss;
  loss.weights.climate = loss.weights.month = loss.weights.regression = 0;
  for (const Heads::Head& head : exported.heads.heads()) {
    if (head.name == "climate") loss.weights.climate = 1;
    if (head.name == "month") loss.weights.month = 1;
    if (head.name == "regression") loss.weights.regression = 1;
  }
  return loss;
}

OpenedModel OpenExport(const std::string& path, const OpenOptions& how) {
  const ExportedModel exported = ReadExport(path);
  const auto metadata = [&](const char* key, const std::string& otherwise) {
    const auto found = exported.metadata.find(key);
    return found == exported.metadata.end() ? otherwise : found->second;
  };
  OpenedModel model;
  model.cells_path = exported.cells_path;
  model.cells = CellTable::Load(exported.cells_path);
  GeocellsOptions options;
  options.model.vision = exported.tower.config();
  options.model.pooling = metadata(kPooling, "mean");
  options.loss = LossOf(exported);
  options.cells = model.cells;
  options.state = metadata(kState, "{}");
  options.random_init = false;
  options.precision = how.precision;
  options.device = how.device;
  model.recipe = std::make_unique<GeocellsRecipe>(options);
  std::map<std::string, at::Tensor> tensors;
  for (const NamedTensor& p : exported.tower.parameters()) tensors[p.name] = p.tensor;
  for (const NamedTensor& p : exported.heads.parameters()) tensors[p.name] = p.tensor;
  CopyTensors(tensors, model.recipe->Parameters(), path);
  model.weights_sha256 = Sha256HexOfFile(JoinPath(path, "model.safetensors"));
  model.preprocessing = exported.preprocessing;
  model.step = std::stoll(metadata(kStep, "-1"));
  return model;
}

}  // namespace

AugmentOptions OpenedModel::EvalAugment() const {
  AugmentOptions options;
  options.image_size = preprocessing.image_size;
  options.kind = "centre_crop";
  options.filter = preprocessing.filter;
  options.apply_exif_orientation = preprocessing.exif_orientation == "apply";
  return options;
}

OpenedModel OpenModel(const std::string& path, const OpenOptions& options) {
  FileSystem& fs = PosixFs();
  std::string dir = path;
  while (dir.size() > 1 && dir.back() == '/') dir.pop_back();
  OpenedModel model;
  if (fs.Exists(JoinPath(dir, "SHA256SUMS")) || fs.Exists(JoinPath(dir, "preprocess.json"))) {
    model = OpenExport(dir, options);
  } else if (fs.Exists(JoinPath(dir, "MANIFEST.json"))) {
    model = OpenStep(dir, options);
  } else if (fs.IsDirectory(JoinPath(dir, "ckpt"))) {
    model = OpenStep(ChooseStep(dir), options);
  } else {
    throw Error(ErrorCode::kUsage, "found no model, expected an export, a run folder or a step folder", path,
                "a run folder holds ckpt/, an export holds SHA256SUMS");
  }
  model.path = path;
  return model;
}

void ExportModel(const OpenedModel& model, const std::string& out_dir) {
  ExportMetadata metadata;
  metadata[kPooling] = model.recipe->pooling();
  metadata[kProjection] = model.projection_trained ? "trained" : "untrained";
  metadata[kState] = model.recipe->State();
  metadata[kStep] = std::to_string(model.step);
  WriteExport(PosixFs(), out_dir, model.recipe->tower(), model.recipe->heads(), model.cells_path,
              model.preprocessing, metadata);
}

}  // namespace graticule
