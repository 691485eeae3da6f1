#include "data/data_config.h"

#include <fmt/format.h>

#include <cmath>

namespace graticule {

namespace {

// An increasing pair of positive numbers, or an error naming the key.
std::string CheckRange(const std::string& key, const std::vector<double>& range, double max) {
  if (range.size() != 2) {
    return fmt::format("data.augment.{} has {} values, expected [low, high]", key, range.size());
  }
  if (!(range[0] > 0 && range[0] <= range[1] && range[1] <= max)) {
    return fmt::format("data.augment.{} is [{}, {}], expected 0 < low <= high <= {}", key, range[0], range[1],
                       max);
  }
  return "";
}

// Each of these decides the order alone.
std::string CheckOrder(const DataConfig& data) {
  const bool mixed = !data.mixture.empty(), blocked = data.block.records > 0,
             weighted = data.sampling.by != "none", planned = data.plan.kind != "none";
  if (mixed + blocked + weighted + planned > 1)
    return "data.mixture, data.block, data.sampling.by and data.plan exclude each other; choose one";
  if (planned && data.epoch_samples > 0)
    return "data.plan covers whole epochs, but data.epoch_samples cuts them; set it to 0";
  if (data.val_embeddings.size() != data.val.size() && !data.val_embeddings.empty()) {
    return fmt::format("data.val_embeddings names {} stores for {} folders of data.val",
                       data.val_embeddings.size(), data.val.size());
  }
  if (data.train_embeddings.size() != data.train.size() && !data.train_embeddings.empty()) {
    return fmt::format("data.train_embeddings names {} stores for {} folders of data.train",
                       data.train_embeddings.size(), data.train.size());
  }
  if (data.block.pool > 0 && !blocked) return "data.block.pool is set, but data.block.records is 0";
  if (!mixed) return "";
  if (data.mixture.size() != data.train.size()) {
    return fmt::format("data.mixture has {} weights for {} folders of data.train", data.mixture.size(),
                       data.train.size());
  }
  double sum = 0;
  for (const double weight : data.mixture) {
    if (!(weight >= 0)) return fmt::format("data.mixture holds {}, expected weights of 0 or more", weight);
    sum += weight;
  }
  if (sum <= 0) return "data.mixture has no weight above 0";
  if (!std::isfinite(sum)) return "the weights of data.mixture add up to more than a number holds";
  return data.epoch_samples > 0
             ? ""
             : "data.mixture needs data.epoch_samples: a mixture has no end that makes an epoch";
}

}  // namespace

void AugmentConfig::Bind(Section& s) {
  s.Choice("kind", &kind, {"random_resized_crop", "centre_crop"}, "how a training image becomes a square");
  s.Field("scale", &scale, {.help = "[low, high] share of the image's area that a random crop covers"});
  s.Field("ratio", &ratio, {.help = "[low, high] width over height of a random crop"});
  s.Choice("filter", &filter, {"bicubic", "bilinear"}, "resampling filter, equal to Pillow's");
  s.Check([this] { return CheckRange("scale", scale, 1.0); });
  s.Check([this] { return CheckRange("ratio", ratio, 100.0); });
}

void SamplingConfig::Bind(Section& s) {
  s.Choice(
      "by", &by, {"none", "cell", "country"},
      "groups whose records are drawn with n^-alpha, n being the group's size, with replacement; none: every "
      "record once an epoch");
  s.Field("alpha", &alpha, {.help = "0 draws records evenly, 1 draws groups evenly", .min = 0, .max = 1});
}

void BlockConfig::Bind(Section& s) {
  s.Field("records", &records,
          {.help = "neighbouring records that are read together, 256 to 512 on slow disks; 0: every record "
                   "is drawn from the whole dataset",
           .unit = "records",
           .min = 0,
           .max = 1 << 20});
  s.Field("pool", &pool,
          {.help = "blocks whose records are mixed with each other; 0: as many as hold 2^18 records",
           .unit = "blocks",
           .min = 0});
}

void PlanConfig::Bind(Section& s) {
  s.Choice(
      "kind", &kind, {"none", "gps", "similarity"},
      "gps: records near each other share batches; similarity: after the first epochs, those whose places "
      "the model confuses (recipe.kind geoclip); none: no plan");
  s.Field("neighbours", &neighbours,
          {.help = "length of each record's list", .unit = "records", .min = 1, .max = 4096});
  s.Field(
      "select", &select,
      {.help = "how many of its list a record brings along: the first half of them, and as many drawn from "
               "the rest",
       .unit = "records",
       .min = 0,
       .max = 4096});
  s.Field("share", &share,
          {.help = "most of a batch that lists may fill; 1: all but the first record", .min = 0, .max = 1});
  s.Field(
      "give_up", &give_up,
      {.help = "when so many records in a row are used already, the rest of the epoch follows without lists",
       .unit = "records",
       .min = 1});
  s.Field("min_km", &min_km,
          {.help = "lists by distance leave nearer records out", .unit = "km", .min = 0, .max = 20000});
  s.Field("similar_min_km", &similar_min_km,
          {.help = "lists by similarity leave nearer records out: they may be the same place",
           .unit = "km",
           .min = 0,
           .max = 20000});
  s.Field(
      "every_epochs", &every_epochs,
      {.help = "lists by similarity are made anew after so many epochs; until the first time lists are by "
               "distance",
       .unit = "epochs",
       .min = 1});
  s.Check([this]() -> std::string {
    if (select <= neighbours) return "";
    return fmt::format("data.plan.select {} is more than data.plan.neighbours {}", select, neighbours);
  });
}

void DataConfig::Bind(Section& s) {
  s.Field("train", &train,
          {.help = "dataset folders to train on, concatenated in this order", .on_resume = OnResume::kWarn});
  s.Field("val", &val, {.help = "dataset folders to evaluate on", .on_resume = OnResume::kFree});
  s.Field("train_split", &train_split, {.help = "splits of the training folders to use; empty: all records"});
  s.Field(
      "val_split", &val_split,
      {.help = "splits of the evaluation folders to use; empty: all records", .on_resume = OnResume::kFree});
  s.Field(
      "share", &share,
      {.help = "share of the training records to use, chosen by a hash of each image: always the same, and a "
               "smaller share is part of a larger one",
       .min = 1e-6,
       .max = 1});
  s.Field("train_embeddings", &train_embeddings,
          {.help = "embedding stores (`graticule embed`) to train on instead of images, one per folder of "
                   "data.train",
           .on_resume = OnResume::kWarn});
  s.Field("val_embeddings", &val_embeddings,
          {.help = "embedding stores of the folders of data.val", .on_resume = OnResume::kFree});
  s.Field("mixture", &mixture,
          {.help = "weight of each folder of data.train: every 1,000 samples hold the same number of each; "
                   "empty: folders are concatenated"});
  s.Sub("block", &block, "an order for storage that reads neighbours faster than strangers");
  s.Sub("plan", &plan, "an order that puts neighbours into one batch");
  s.Sub("sampling", &sampling, "how often each training record is drawn");
  s.Sub("augment", &augment, "crop and resize of training images");
  s.Check([this] { return CheckOrder(*this); });
  s.Choice("decode", &decode, {"exact", "fast", "nvjpeg"},
           "fast: training images of twice the crop's size or more are reduced while they are decoded; close "
           "to, but not, the bytes that Pillow gives. nvjpeg: the GPU decodes training images (train.device "
           "cuda) and rounds by rules of its own");
  s.Check([this]() -> std::string {
    return decode == "nvjpeg" && !train_embeddings.empty()
               ? "data.decode is nvjpeg, but data.train_embeddings leaves no training image to decode"
               : "";
  });
  s.Choice("exif_orientation", &exif_orientation, {"apply", "ignore"},
           "whether an image is turned as its EXIF tag asks, in training, evaluation and prediction alike");
  s.Field("stage", &stage,
          {.help = "folder on the node's own disk: shards, or the parts of embedding stores, are copied "
                   "there once per node before training reads "
                   "them; empty: they are read where they are",
           .on_resume = OnResume::kFree});
  s.Field("stage_gb", &stage_gb,
          {.help = "most that copies may take in data.stage, those of other datasets included: the ones used "
                   "longest ago are removed first; 0: what the disk holds",
           .unit = "GB",
           .min = 0,
           .max = 1e9,
           .on_resume = OnResume::kFree});
  s.Check([this]() -> std::string {
    return stage.empty() && stage_gb > 0 ? "data.stage_gb is set, but data.stage names no folder" : "";
  });
  s.Field("threads", &threads,
          {.help = "decoding threads per rank at most, those that the step has no need of sleep; 0: CPUs in "
                   "the rank's affinity mask",
           .min = 0,
           .max = 1024,
           .on_resume = OnResume::kFree});
  s.Field("depth", &depth,
          {.help = "batches prepared ahead",
           .unit = "batches",
           .min = 1,
           .max = 64,
           .on_resume = OnResume::kFree});
  s.Field("max_bad", &max_bad,
          {.help = "bad records a rank may replace before the run stops; 0: max(10, 0.1 % of records)",
           .unit = "records",
           .min = 0,
           .on_resume = OnResume::kFree});
  s.Field("epoch_samples", &epoch_samples,
          {.help = "samples per epoch; 0: the whole dataset without its incomplete last batch",
           .unit = "samples",
           .min = 0});
  s.Field("stats", &stats,
          {.help = "JSON file with the means and deviations of the regression targets; "
                   "empty: computed over the training split"});
}

AugmentOptions DataConfig::TrainAugment(int64_t image_size) const {
  AugmentOptions options = EvalAugment(image_size);
  options.kind = augment.kind;
  if (!decodes_on_device()) options.decode = decode;
  options.scale_min = augment.scale.at(0);
  options.scale_max = augment.scale.at(1);
  options.ratio_min = augment.ratio.at(0);
  options.ratio_max = augment.ratio.at(1);
  return options;
}

AugmentOptions DataConfig::EvalAugment(int64_t image_size) const {
  AugmentOptions options;
  options.image_size = image_size;
  options.kind = "centre_crop";
  options.filter = augment.filter;
  options.apply_exif_orientation = exif_orientation == "apply";
  return options;
}

}  // namespace graticule
