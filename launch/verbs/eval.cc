#include "launch/verbs/eval.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "base/log.h"
#include "data/split/split_sidecar.h"
#include "launch/launch_rank.h"
#include "launch/options.h"
#include "trainer/comm/world.h"
#include "trainer/eval/hard_negatives.h"
#include "trainer/eval/hard_negatives_page.h"
#include "trainer/eval/predict_dataset.h"
#include "trainer/eval/report.h"
#include "trainer/recipes/geoclip.h"
#include "trainer/run/training_parts.h"
#include "trainer/serve/open_model.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

struct EvalCommand {
  std::string model, out, device, precision, weights;
  std::vector<std::string> data, split, embeddings;
  std::string crops = "centre";  // or "ten"
  bool split_given = false, json = false;
  int64_t hardest = 0;
  int64_t batch = 32, samples = 0;
  int threads = 0;
};

std::string NameOfSet(const std::vector<std::string>& split) {
  return split.empty() ? "all" : fmt::format("{}", fmt::join(split, "+"));
}

void Print(const EvalCommand& command, const std::string& out, const Evaluation& e, int64_t unreadable) {
  const auto named = e.all.Named();
  if (command.json) {
    nlohmann::ordered_json json = {{"out", out},
                                   {"split", NameOfSet(command.split)},
                                   {"images", e.all.images},
                                   {"unreadable", unreadable}};
    for (const auto& [name, value] : named) json[name] = value;
    fmt::print("{}\n", JsonText(json));
    return;
  }
  fmt::print("split {}: {} images, {} unreadable, {} without a place\n", NameOfSet(command.split),
             e.all.images, unreadable, e.without_place);
  for (const char* share : {"acc_1", "acc_25", "acc_200", "acc_750", "acc_2500"}) {
    fmt::print("  within {:>4} km  {:5.1f} %\n", std::string(share).substr(4), 100 * named.at(share));
  }
  fmt::print("  median {:.1f} km, mean {:.1f} km, GeoScore {:.0f}\nwritten to {}\n", named.at("median_km"),
             named.at("mean_km"), named.at("geoscore"), out);
}

// Training images must not be scored by accident: of a divided dataset the model's own validation split is
// taken, or none without being asked for.
std::vector<std::string> DefaultSplit(const std::vector<std::string>& folders,
                                      const std::vector<std::string>& val_split) {
  bool divided = false, has_val = !val_split.empty();
  std::string names;
  for (const std::string& folder : folders) {
    const std::vector<std::string> splits = SplitNames(folder, ReadManifest(folder));
    divided |= splits.size() > 1;
    for (const std::string& wanted : val_split)
      has_val &= std::find(splits.begin(), splits.end(), wanted) != splits.end();
    names += fmt::format("{}{}: {}", names.empty() ? "" : "; ", folder, fmt::join(splits, ", "));
  }
  if (has_val) return val_split;
  if (!divided) return {};
  throw Error(ErrorCode::kUsage, fmt::format("which split is to be evaluated? There is {}", names), "",
              "name it with --split, or take all records with --split all");
}

void ChooseData(const OpenedModel& model, EvalCommand& command) {
  const bool of_the_run = command.data.empty();
  if (of_the_run) command.data = model.val;
  if (command.data.empty()) {
    throw Error(ErrorCode::kUsage, "--data is missing, and the model names no validation data", command.model,
                "name a dataset folder with --data");
  }
  for (const std::string& folder : command.data) {
    if (!of_the_run || PosixFs().Exists(folder)) continue;
    throw Error(
        ErrorCode::kData, "the run's validation data is not here", folder,
        "its path is relative to where the run was started: go there, or name the folder with --data");
  }
  if (!command.split_given) command.split = DefaultSplit(command.data, model.val_split);
  if (command.split == std::vector<std::string>{"all"}) command.split.clear();
}

// Records that were trained on may have moved into the split that is evaluated.
void WarnOfNewSplit(const OpenedModel& model, const std::vector<std::string>& data) {
  const auto same = [](const std::string& a, const std::string& b) {
    std::error_code problem;
    return std::filesystem::equivalent(a, b, problem);
  };
  const bool shared = std::any_of(data.begin(), data.end(), [&](const std::string& folder) {
    return std::any_of(model.train.begin(), model.train.end(),
                       [&](const std::string& trained) { return same(folder, trained); });
  });
  if (!shared) return;
  try {
    if (Dataset::Open(model.train, {.split = model.train_split, .share = model.train_share})->Sha256() ==
        model.training_data_sha256)
      return;
  } catch (const Error&) {  // cannot be compared: as good as changed
  }
  LogWarn(
      "{}: the dataset or its division has changed since the model was trained; it may have been trained on "
      "records that are evaluated now",
      model.path);
}

std::shared_ptr<const EmbeddingStore> OpenEmbeddings(const EvalCommand& command, const OpenedModel& model,
                                                     const std::shared_ptr<const Dataset>& dataset,
                                                     const AugmentOptions& augment) {
  auto store = EmbeddingStore::Open(command.embeddings, dataset);
  CheckPreprocessing(store->plan(), augment, command.embeddings.front());
  CheckTower(*model.recipe, {{store.get(), command.embeddings.front()}});
  return store;
}

void WriteHardNegatives(const EvalCommand& command, const OpenedModel& model,
                        const std::shared_ptr<const Dataset>& dataset, const PredictOptions& options,
                        const std::string& out) {
  auto* recipe = dynamic_cast<GeoclipRecipe*>(model.recipe.get());
  GRATICULE_CHECK(recipe != nullptr);
  constexpr int64_t kSample = 2000;
  const int64_t count = command.samples > 0 ? std::min(command.samples, kSample) : kSample;
  const EncodedSample sample = EncodeSample(*recipe, dataset, options, count);
  const HardNegativeOptions hard{.anchors = command.hardest};
  const auto anchors =
      FindHardNegatives(recipe->Logits(sample.rows_ND, sample.places), sample.records, sample.places, hard);
  const std::string path = JoinPath(out, "hardest.html");
  WriteFileAtomically(PosixFs(), path,
                      HardNegativesPage(*dataset, anchors, hard, "Hardest negatives of " + command.model));
  if (!command.json) fmt::print("hardest negatives of {} images: {}\n", sample.records.size(), path);
}

int EvaluateCollective(EvalCommand command, World& world) {
  at::set_num_threads(command.threads > 0 ? command.threads : world.cpus);
  // Rank 0 opens first: a mistake is told once.
  if (!world.is_first()) world.control.Barrier();
  OpenedModel model = OpenModel(
      command.model, {.device = DeviceOf(world), .precision = command.precision, .weights = command.weights});
  if (command.hardest > 0 && model.gallery == nullptr) {
    throw Error(ErrorCode::kUsage, "--hardest needs a model that compares images with places", command.model,
                "this one classifies into cells");
  }
  ChooseData(model, command);
  if (command.out.empty() && model.run_dir.empty()) {
    throw Error(ErrorCode::kUsage, "--out is missing", command.model,
                "an export has no run folder to write into");
  }
  const auto dataset = Dataset::Open(command.data, {.split = command.split});
  if (world.is_first()) WarnOfNewSplit(model, command.data);
  if (world.is_first()) world.control.Barrier();

  PredictOptions options;
  options.augment = model.EvalAugment();
  if (command.crops == "ten") options.augment.kind = "ten_crop";
  if (!command.embeddings.empty())
    options.embeddings = OpenEmbeddings(command, model, dataset, options.augment);
  options.rank_batch = command.batch;
  options.samples = command.samples;
  options.device = DeviceOf(world);
  options.cuda = world.cuda;
  int64_t unreadable = 0;
  const auto rows = PredictDatasetCollective(*model.recipe, dataset, options, world.control, &unreadable);
  if (!world.is_first()) return 0;
  std::vector<EvalRow> eval_rows = ToEvalRows(*dataset, rows);
  EvalProvenance provenance;
  provenance.set = NameOfSet(command.split);
  provenance.data_sha256 = dataset->Sha256();
  if (model.cells != nullptr) provenance.cells_sha256 = model.cells->Sha256();
  provenance.weights_sha256 = model.weights_sha256;
  provenance.model = command.model;
  provenance.step = model.step;
  provenance.protocol = {
      {"crop", fmt::format("{} {}", command.crops, options.augment.image_size)},
      {"filter", options.augment.filter},
      {"exif_orientation", model.preprocessing.exif_orientation},
      {"weights", model.weights},
      {"precision", options.embeddings == nullptr ? command.precision : options.embeddings->plan().precision},
      {"unreadable", std::to_string(unreadable)}};
  if (model.gallery != nullptr) {
    provenance.gallery_sha256 = model.gallery->Sha256();
    provenance.ceiling = CeilingOf(*model.gallery, eval_rows);
    provenance.protocol["gallery_places"] = std::to_string(model.gallery->size());
  }
  if (options.embeddings != nullptr) {
    provenance.protocol["embeddings_sha256"] = options.embeddings->Sha256();
    provenance.protocol["embeddings_dtype"] = NameOf(options.embeddings->plan().dtype);
  }
  const std::string name = provenance.set + (command.crops == "ten" ? "-ten-crops" : "");
  const std::string out =
      !command.out.empty() ? command.out : JoinPath(JoinPath(model.run_dir, "eval"), name);
  const Evaluation evaluation = WriteEvaluation(PosixFs(), out, std::move(eval_rows), provenance);
  Print(command, out, evaluation, unreadable);
  if (command.hardest > 0) WriteHardNegatives(command, model, dataset, options, out);
  return 0;
}

int Eval(const std::vector<std::string>& arguments) {
  Options options("graticule eval --model MODEL [--data DIR...] [--split NAME...] [--out DIR]",
                  "Predicts every record of a dataset once and writes predictions.csv, metrics.json and maps "
                  "of the errors.");
  const auto list = [] { return po::value<std::vector<std::string>>()->multitoken()->composing(); };
  options.visible().add_options()("model", po::value<std::string>(), "export, run or step folder (required)")(
      "data", list(), "dataset folder (repeatable; default: the run's data.val)")(
      "split", list(),
      "split to evaluate (repeatable; \"all\": every record; default: the run's data.val_split)")(
      "out", po::value<std::string>()->default_value(""),
      "folder to write (default: RUN/eval/SPLIT, with ten crops RUN/eval/SPLIT-ten-crops)")(
      "embeddings", list(),
      "embedding store to use instead of the images (repeatable, one per dataset folder); for a model with a "
      "frozen "
      "tower")("crops", po::value<std::string>()->default_value("centre"),
               "centre, or ten: the mean of the logits of ten crops")(
      "hardest", po::value<int64_t>()->default_value(0),
      "also draw OUT/hardest.html: so many images with the places the model confuses them with")(
      "weights", po::value<std::string>()->default_value("auto"),
      "raw, ema (their moving average, optim.ema_decay) or auto: ema where there is one")(
      "batch", po::value<int64_t>()->default_value(32), "images per rank and forward pass")(
      "samples", po::value<int64_t>()->default_value(0), "only the first so many records; 0 takes all")(
      "device", po::value<std::string>()->default_value("cpu"), "cpu or cuda")(
      "precision", po::value<std::string>()->default_value("fp32"), "fp32 or bf16")(
      "threads", po::value<int>()->default_value(0), "compute threads per rank; 0 takes the CPUs it may use");
  if (!options.Parse(arguments)) return 0;
  if (!options.Has("model")) throw Error(ErrorCode::kUsage, "--model is missing", "", "see --help");
  EvalCommand command;
  command.model = options.Get<std::string>("model");
  command.out = options.Get<std::string>("out");
  command.device = options.Get<std::string>("device");
  command.precision = options.Get<std::string>("precision");
  command.weights = options.Choice("weights", {"auto", "ema", "raw"});
  command.data = options.Words("data");
  command.split = options.Words("split");
  command.split_given = options.Has("split");
  command.embeddings = options.Words("embeddings");
  command.crops = options.Choice("crops", {"centre", "ten"});
  command.json = options.json();
  command.batch = options.Get<int64_t>("batch");
  command.hardest = options.Get<int64_t>("hardest");
  command.samples = options.Get<int64_t>("samples");
  command.threads = options.Get<int>("threads");
  if (command.batch < 1)
    throw Error(ErrorCode::kUsage, fmt::format("--batch is {}, expected at least 1", command.batch));
  if (command.hardest < 0)
    throw Error(ErrorCode::kUsage, fmt::format("--hardest is {}, expected 0 or more", command.hardest));
  if (command.samples < 0)
    throw Error(ErrorCode::kUsage, fmt::format("--samples is {}, expected 0 or more", command.samples));
  PrepareArithmetic(command.precision, command.device);
  return RunInWorld({.device = command.device, .json = command.json},
                    [&](World& world) { return EvaluateCollective(command, world); });
}

}  // namespace

Verb EvalVerb() {
  return {"eval", "evaluate a model on a dataset", [](const std::vector<std::string>& arguments) {
            return SpeakAsFirstRank([&] { return Eval(arguments); });
          }};
}

}  // namespace graticule
