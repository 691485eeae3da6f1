#include "trainer/serve/open_model.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/config/resolve.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/run/checkpoint_store.h"
#include "trainer/checkpoint/tensor_file.h"
#include "trainer/checkpoint/train_state.h"
#include "trainer/config/root_config.h"
#include "trainer/optim/weight_average.h"
#include "trainer/recipes/geoclip.h"
#include "trainer/recipes/registry.h"

namespace graticule {
namespace {

constexpr char kState[] = "recipe_state", kPooling[] = "pooling", kProjection[] = "visual_projection",
               kStep[] = "step", kRecipe[] = "recipe", kLocation[] = "location", kWeights[] = "weights";

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

void RequireAverage(bool there, const std::string& where) {
  if (there) return;
  throw Error(ErrorCode::kUsage, "there is no moving average of the weights", where,
              "train with optim.ema_decay, or leave --weights ema out");
}

// Cells or gallery, from the folder of a run or an export.
void OpenAnswers(OpenedModel& model, const std::string& folder, const std::string& recipe) {
  model.answers_path = JoinPath(folder, recipe == "geoclip" ? "gallery.safetensors" : "cells.safetensors");
  if (recipe == "geoclip") {
    model.gallery = std::make_shared<const Gallery>(Gallery::Load(model.answers_path));
  } else {
    model.cells = CellTable::Load(model.answers_path);
  }
}

// The recipe without values in its parameters. Nothing that only training needs is made.
void MakeRecipeFor(OpenedModel& model, RootConfig& config, const std::string& state, const OpenOptions& how) {
  config.train.precision = how.precision;
  config.recipe.geoclip.negatives.queue = 0;
  config.loss.contrastive.pair.use = "none";
  config.recipe.geoclip.negatives.bands.clear();
  config.recipe.geoclip.negatives.thesis = "none";
  config.recipe.geoclip.nearest.weight = 0;
  model.recipe = MakeRecipe(config, {.cells = model.cells,
                                     .gallery = model.gallery,
                                     .state = state,
                                     .random_init = false,
                                     .device = how.device});
  model.pooling = config.model.pooling;
  model.location = config.recipe.geoclip.location;
}

// Averages stand for the weights that were trained; what was frozen is in model.safetensors alone.
void LoadWeights(OpenedModel& model, const std::string& step_dir, const std::string& which) {
  std::string path = JoinPath(step_dir, "model.safetensors");
  const std::string average = JoinPath(step_dir, kAverageFile);
  std::map<std::string, at::Tensor> tensors = ReadTensors(path);
  model.weights = which != "auto" ? which : PosixFs().Exists(average) ? "ema" : "raw";
  if (model.weights == "ema") {
    RequireAverage(PosixFs().Exists(average), step_dir);
    path = average;
    for (const auto& [name, values] : ReadTensors(average))
      if (name != WeightAverage::kUpdates) tensors[name] = values;
  }
  CopyTensors(tensors, model.recipe->Parameters(), path);
  model.weights_sha256 = Sha256HexOfFile(path);
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
  OpenAnswers(model, model.run_dir, config.recipe.kind);
  const bool cells = model.cells != nullptr;
  const std::string& found = cells ? model.cells->Sha256() : model.gallery->Sha256();
  const std::string& wanted = cells ? state.cells_sha256 : state.gallery_sha256;
  if (found != wanted) {
    throw Error(ErrorCode::kCheckpoint,
                fmt::format("the {} {}, the checkpoint was trained with {}",
                            cells ? "cells are" : "gallery is", found, wanted),
                model.answers_path, "put the file back that the run was trained with");
  }
  MakeRecipeFor(model, config, state.recipe_state, how);
  LoadWeights(model, step_dir, how.weights);
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
  const auto has = [&](const char* head) { return exported.heads.contains(head) ? 1.0 : 0.0; };
  LossConfig loss;
  loss.weights.climate = has("heads.climate.weight");
  loss.weights.month = has("heads.month.weight");
  loss.weights.regression = has("heads.regression.weight");
  return loss;
}

// What the shapes in an export do not tell is in its metadata.
GeoclipConfig GeoclipOf(const ExportedModel& exported, const std::string& location, const std::string& path) {
  GeoclipConfig config;
  const auto rows_of = [&](const std::string& name) {
    const auto found = exported.heads.find("heads." + name);
    if (found != exported.heads.end() && found->second.dim() == 2) return found->second.size(0);
    throw Error(ErrorCode::kData, fmt::format("heads.{} is missing or has no rows and columns", name), path,
                "export the model again");
  };
  config.hidden = rows_of("image_mlp.0.weight");
  config.outputs = rows_of("image_mlp.2.weight");
  config.location.features = rows_of("location.LocEnc0.capsule.0.b");
  config.location.width = rows_of("location.LocEnc0.capsule.1.weight");
  try {
    const auto json = nlohmann::json::parse(location);
    json.at("sigmas").get_to(config.location.sigmas);
    json.at("projection").get_to(config.location.projection);
    json.at("parity").get_to(config.location.parity);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::kData, fmt::format("unreadable metadata: {}", error.what()), path,
                "export the model again");
  }
  return config;
}

OpenedModel OpenExport(const std::string& path, const OpenOptions& how) {
  const ExportedModel exported = ReadExport(path);
  const auto metadata = [&](const char* key, const std::string& otherwise) {
    const auto found = exported.metadata.find(key);
    return found == exported.metadata.end() ? otherwise : found->second;
  };
  OpenedModel model;
  model.weights = metadata(kWeights, "raw");
  if (how.weights == "ema") RequireAverage(model.weights == "ema", path);
  if (how.weights == "raw" && model.weights == "ema") {
    throw Error(ErrorCode::kUsage, "the export holds the moving average of the weights alone", path,
                "name the run or step folder, or export it again with --weights raw");
  }
  RootConfig config;
  config.recipe.kind = metadata(kRecipe, "geocells");
  config.model.vision = exported.tower.config();
  config.model.pooling = metadata(kPooling, "mean");
  config.loss = LossOf(exported);
  if (config.recipe.kind == "geoclip") {
    config.loss.kind = exported.heads.contains("heads.logit_bias") ? "siglip" : "infonce";
    config.recipe.geoclip = GeoclipOf(exported, metadata(kLocation, "{}"), path);
  }
  OpenAnswers(model, path, config.recipe.kind);
  MakeRecipeFor(model, config, metadata(kState, "{}"), how);
  std::map<std::string, at::Tensor> tensors = exported.heads;
  for (const NamedTensor& p : exported.tower.parameters()) tensors[p.name] = p.tensor;
  CopyTensors(tensors, model.recipe->Parameters(), path);
  if (auto* geoclip = dynamic_cast<GeoclipRecipe*>(model.recipe.get()))
    geoclip->LoadGalleryEmbeddings(model.answers_path);
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
  metadata[kRecipe] = model.recipe->name();
  metadata[kPooling] = model.pooling;
  metadata[kProjection] = model.projection_trained ? "trained" : "untrained";
  metadata[kState] = model.recipe->State();
  metadata[kStep] = std::to_string(model.step);
  metadata[kWeights] = model.weights;
  if (model.gallery != nullptr) {
    const nlohmann::json location = {{"sigmas", model.location.sigmas},
                                     {"projection", model.location.projection},
                                     {"parity", model.location.parity}};
    metadata[kLocation] = location.dump();
  }
  std::vector<NamedTensor> heads;
  for (const NamedTensor& p : model.recipe->Parameters()) {
    // What only training needs stays behind.
    if (p.name.starts_with("heads.") && !p.name.starts_with("heads.simsiam.")) heads.push_back(p);
  }
  const ExportAnswers answers{BaseName(model.answers_path), [&](const std::string& path) {
                                if (auto* geoclip = dynamic_cast<GeoclipRecipe*>(model.recipe.get()))
                                  return geoclip->SaveGallery(path);
                                WriteFileAtomically(PosixFs(), path, ReadFileToString(model.answers_path));
                              }};
  WriteExport(PosixFs(), out_dir, model.recipe->tower(), heads, answers, model.preprocessing, metadata);
}

}  // namespace graticule
