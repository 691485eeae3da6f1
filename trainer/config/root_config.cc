#include "trainer/config/root_config.h"

#include <fmt/format.h>

namespace graticule {

void RootConfig::Bind(Section& root) {
  root.Sub("run", &run, "run folder and seed");
  root.Sub("data", &data, "datasets, crops, loader");
  root.Sub("cells", &cells, "geocell partition");
  root.Sub("model", &model, "vision tower");
  root.Sub("recipe", &recipe, "what is trained");
  root.Sub("loss", &loss, "objective");
  root.Sub("optim", &optim, "optimiser");
  root.Sub("schedule", &schedule, "learning rate over the run");
  root.Sub("train", &train, "batch, duration, precision, device");
  root.Sub("checkpoint", &checkpoint, "when state is saved");
  root.Sub("eval", &eval, "validation during training");
  root.Sub("comm", &comm, "gradient reduction");
  root.Sub("log", &log, "metrics and progress");
  root.Check(
      [this]() -> std::string { return data.train.empty() ? "data.train names no dataset folder" : ""; });
  root.Check([this]() -> std::string {
    if ((data.train_embeddings.empty() && data.val_embeddings.empty()) || model.frozen_layers == -1)
      return "";
    return "data.train_embeddings and data.val_embeddings hold outputs of a frozen tower, but "
           "model.frozen_layers "
           "is not -1";
  });
  root.Check([this]() -> std::string {
    return recipe.kind == "geocells" && cells.file.empty()
               ? "cells.file is missing: recipe.kind geocells classifies into cells; `graticule cells build` "
                 "makes them"
               : "";
  });
  root.Check([this]() -> std::string {
    if ((recipe.kind == "geoclip") == IsContrastive(loss.kind)) return "";
    return fmt::format("loss.kind {} does not fit recipe.kind {}", loss.kind, recipe.kind);
  });
  root.Check([this]() -> std::string {
    if (recipe.kind != "geocells" || model.pooling != "embeds") return "";
    return "model.pooling embeds is for recipe.kind geoclip; geocells takes mean or cls";
  });
  root.Check([this]() -> std::string {
    const NegativesConfig& n = recipe.geoclip.negatives;
    return recipe.kind == "geoclip" && train.global_batch == 1 && n.queue == 0 && n.bands.empty()
               ? "train.global_batch 1 without recipe.negatives.queue or bands leaves nothing to compare with"
               : "";
  });
  root.Check([this]() -> std::string {
    return recipe.kind == "geoclip" && recipe.geoclip.nearest.weight > 0 && loss.kind == "triplet"
               ? "recipe.nearest.weight takes the scale of the main loss's logits, loss.kind triplet has none"
               : "";
  });
  root.Check([this]() -> std::string {
    return recipe.kind == "geoclip" && recipe.geoclip.simsiam.weight > 0 && data.train_embeddings.empty() &&
                   data.augment.kind != "random_resized_crop"
               ? "recipe.simsiam.weight compares views of an image, but with data.augment.kind " +
                     data.augment.kind + " they are the same pixels; it needs random_resized_crop"
               : "";
  });
  root.Check([this]() -> std::string {
    return recipe.kind == "geoclip" && recipe.geoclip.simsiam.weight > 0 && train.global_batch < 2
               ? "recipe.simsiam.weight needs a train.global_batch of 2 or more, which it normalises over"
               : "";
  });
  root.Check([this]() -> std::string {
    return recipe.kind == "geoclip" && data.sampling.by == "cell" && cells.file.empty()
               ? "data.sampling.by cell needs cells.file"
               : "";
  });
  root.Check([this]() -> std::string {
    return recipe.kind != "geoclip" && data.plan.kind == "similarity"
               ? "data.plan.kind similarity needs recipe.kind geoclip, which encodes images and places"
               : "";
  });
  root.Check([this]() -> std::string {
    return data.decodes_on_device() && train.device == "cpu"
               ? "data.decode is nvjpeg, which needs a GPU, but train.device is cpu; set train.device=cuda, "
                 "or "
                 "data.decode=exact"
               : "";
  });
  root.Check([this]() -> std::string {
    if (train.micro_batch <= train.global_batch) return "";
    return fmt::format("train.micro_batch {} is more than train.global_batch {}", train.micro_batch,
                       train.global_batch);
  });
  root.Check([this]() -> std::string {
    if (train.samples == 0 || schedule.warmup_samples <= train.samples) return "";
    return fmt::format("schedule.warmup_samples {} is longer than the run (train.samples {})",
                       schedule.warmup_samples, train.samples);
  });
}

}  // namespace graticule
