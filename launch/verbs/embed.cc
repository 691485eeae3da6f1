#include "launch/verbs/embed.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/config/resolve.h"
#include "base/error.h"
#include "base/json_text.h"
#include "data/embedding/verify_store.h"
#include "launch/launch_rank.h"
#include "launch/options.h"
#include "models/frozen_tower.h"
#include "models/hf_weights.h"
#include "trainer/comm/world.h"
#include "trainer/config/root_config.h"
#include "trainer/embed/embed_dataset.h"
#include "trainer/run/training_parts.h"
#include "trainer/serve/open_model.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

struct EmbedCommand {
  std::string model, clip, device, weights;
  std::vector<std::string> config, overrides;
  std::string crops = "centre";  // or "ten"
  int64_t draws = 0;             // 0: no random crops
  bool output_given = false, json = false;
  EmbedOptions options;
};

// The tower, and how its images are made.
struct Source {
  std::shared_ptr<VisionTower> tower;
  std::string output = "image_embeds";  // what the model's heads take
  AugmentOptions eval;
  std::optional<AugmentOptions> train;  // not known of exports
  uint64_t seed = 0;
};

Source FromModel(const EmbedCommand& command, const World& world) {
  auto model = std::make_shared<OpenedModel>(OpenModel(
      command.model,
      {.device = DeviceOf(world), .precision = command.options.precision, .weights = command.weights}));
  Source source;
  source.tower = std::shared_ptr<VisionTower>(model, &model->recipe->tower());
  source.output = model->recipe->TowerOutputName();
  source.seed = model->seed;
  source.eval = model->EvalAugment();
  source.train = model->train_augment;
  return source;
}

Source FromConfig(const EmbedCommand& command) {
  RootConfig config;
  if (!command.clip.empty()) {
    config.model.init = command.clip;
    config.model.Complete();
  } else {
    Section root;
    config.Bind(root);
    std::vector<std::string> overrides = command.overrides;
    overrides.emplace_back("run.dir=.");  // required of trainings, and not used here
    ResolveConfig(root, command.config, overrides).ThrowIfBad();
  }
  Source source;
  source.seed = static_cast<uint64_t>(config.run.seed);
  source.tower = std::make_shared<VisionTower>(config.model.vision, source.seed);
  if (!config.model.init.empty()) LoadVisionWeights(*source.tower, config.model.init);
  if (command.clip.empty()) source.output = TowerOutputOf(config.model.pooling);
  source.eval = config.data.EvalAugment(config.model.vision.image_size);
  source.train = config.data.TrainAugment(config.model.vision.image_size);
  return source;
}

Source OpenSource(const EmbedCommand& command, const World& world) {
  if (!command.model.empty()) return FromModel(command, world);
  Source source = FromConfig(command);
  if (command.options.precision == "bf16") source.tower->set_compute_dtype(at::kBFloat16);
  if (!DeviceOf(world).is_cpu()) source.tower->To(DeviceOf(world));
  return source;
}

void ChooseCrops(const EmbedCommand& command, const Source& source, EmbedOptions& options) {
  options.augment = source.eval;
  if (command.crops == "ten") options.augment.kind = "ten_crop";
  if (command.draws == 0) return;
  if (!source.train) {
    throw Error(ErrorCode::kUsage, "an export does not say how training images are cropped", command.model,
                "name the run with --model, or its configuration with --config");
  }
  options.augment = *source.train;
  options.draws = command.draws;
  options.seed = source.seed;
  if (options.augment.kind != "random_resized_crop" && command.draws > 1) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{} draws of {} would all be the same", command.draws, options.augment.kind), "",
                "set data.augment.kind=random_resized_crop, or leave --draws out");
  }
}

int EmbedCollective(EmbedCommand command, World& world) {
  at::set_num_threads(world.cpus);
  if (!world.is_first()) world.control.Barrier();
  const Source source = OpenSource(command, world);
  EmbedOptions options = command.options;
  if (!command.output_given) options.output = source.output;
  ChooseCrops(command, source, options);
  if (world.is_first()) world.control.Barrier();

  const EmbeddingManifest manifest = EmbedDatasetCollective(*source.tower, options, world);
  if (!world.is_first()) return 0;
  int64_t rows = 0, valid = 0;
  uint64_t bytes = 0;
  for (const EmbeddingPart& part : manifest.parts) {
    rows += part.rows;
    valid += part.valid;
    bytes += part.size;
  }
  const EmbeddingPlan& plan = manifest.plan;
  if (command.json) {
    const nlohmann::ordered_json json = {{"out", options.out},
                                         {"records", rows},
                                         {"embedded", valid},
                                         {"views", plan.views},
                                         {"output", plan.output},
                                         {"dim", plan.dim},
                                         {"parts", manifest.parts.size()},
                                         {"bytes", bytes},
                                         {"tower_sha256", plan.tower_sha256}};
    fmt::print("{}\n", JsonText(json));
    return 0;
  }
  fmt::print("{} of {} records embedded ({} x {} {}, {} views each), {:.1f} MB in {} parts: {}\n", valid,
             rows, plan.output, plan.dim, NameOf(plan.dtype), plan.views, static_cast<double>(bytes) / 1e6,
             manifest.parts.size(), options.out);
  return 0;
}

SafeDType DTypeOf(const std::string& name) {
  if (name == "fp16") return SafeDType::kF16;
  if (name == "bf16") return SafeDType::kBF16;
  if (name == "fp32") return SafeDType::kF32;
  throw Error(ErrorCode::kUsage, fmt::format("--dtype is \"{}\", expected fp16, bf16 or fp32", name));
}

EmbedCommand CommandOf(const Options& options) {
  EmbedCommand command;
  const auto text = [&](const char* name) {
    return options.Has(name) ? options.Get<std::string>(name) : std::string();
  };
  command.model = text("model");
  command.clip = text("clip");
  if (!command.clip.empty()) RequireFolder(command.clip);
  command.config = options.Words("config");
  command.overrides = options.Words("override");
  if (!command.model.empty() + !command.clip.empty() + !command.config.empty() != 1) {
    throw Error(ErrorCode::kUsage, "whose outputs are to be kept?", "",
                "name one of --model, --config and --clip");
  }
  if (!command.overrides.empty() && command.config.empty())
    throw Error(ErrorCode::kUsage, "key=value belongs to --config", "", "see --help");
  if (!options.Has("data")) throw Error(ErrorCode::kUsage, "--data is missing", "", "see --help");
  command.device = options.Get<std::string>("device");
  command.weights = options.Choice("weights", {"auto", "ema", "raw"});
  command.crops = options.Choice("crops", {"centre", "ten"});
  command.draws = options.Get<int64_t>("draws");
  if (command.draws < 0 || command.draws > 255)
    throw Error(ErrorCode::kUsage, fmt::format("--draws is {}, expected 0 to 255", command.draws));
  if (command.draws > 0 && options.Has("crops"))
    throw Error(ErrorCode::kUsage, "--draws and --crops exclude each other", "",
                "random crops for training, fixed ones for evaluation");
  command.json = options.json();
  command.output_given = options.Has("output");
  EmbedOptions& embed = command.options;
  embed.dataset = text("data");
  if (IsEmbeddingStore(embed.dataset))
    throw Error(ErrorCode::kUsage, "--data names an embedding store; expected a dataset", embed.dataset);
  embed.out = options.OutputFolder("out");
  embed.output = text("output");
  embed.precision = options.Get<std::string>("precision");
  embed.dtype = DTypeOf(options.Get<std::string>("dtype"));
  embed.batch = options.Get<int64_t>("batch");
  embed.threads = options.Get<int>("threads");
  embed.quiet = command.json;
  if (embed.batch < 1)
    throw Error(ErrorCode::kUsage, fmt::format("--batch is {}, expected at least 1", embed.batch));
  return command;
}

int Embed(const std::vector<std::string>& arguments) {
  Options options(
      "graticule embed (--model MODEL | --config FILE [key=value...] | --clip DIR) --data DIR --out DIR",
      "Runs a frozen tower over every record of a dataset and keeps its outputs, for training and "
      "evaluation without images. Repeated, it goes on where it stopped.");
  options.visible().add_options()("model", po::value<std::string>(), "export, run or step folder")(
      "config", po::value<std::vector<std::string>>()->composing(),
      "training configuration (repeatable): its model.init (or seed), its crops")(
      "clip", po::value<std::string>(), "published weights: a Hugging Face or OpenCLIP directory")(
      "data", po::value<std::string>(), "dataset folder (required)")("out", po::value<std::string>(),
                                                                     "folder to write (required)")(
      "output", po::value<std::string>(),
      "image_embeds, pooler_output or mean_tokens (default: what the model's heads take; image_embeds with "
      "--clip)")("draws", po::value<int64_t>()->default_value(0),
                 "random crops per record, as the configuration makes training images; 0: none")(
      "crops", po::value<std::string>()->default_value("centre"), "for evaluation: centre or ten")(
      "dtype", po::value<std::string>()->default_value("fp16"), "of the rows: fp16, bf16 or fp32")(
      "weights", po::value<std::string>()->default_value("auto"),
      "with --model: raw, ema (their moving average, optim.ema_decay) or auto: ema where there is one")(
      "batch", po::value<int64_t>()->default_value(32), "images per rank and forward pass")(
      "device", po::value<std::string>()->default_value("cpu"), "cpu or cuda")(
      "precision", po::value<std::string>()->default_value("fp32"),
      "of the forward pass: fp32, tf32 or bf16")("threads", po::value<int>()->default_value(0),
                                                 "decoding threads per rank; 0 takes the CPUs it may use");
  options.Positional("override", "key=value");
  if (!options.Parse(arguments)) return 0;
  const EmbedCommand command = CommandOf(options);
  PrepareArithmetic(command.options.precision, command.device);
  return RunInWorld({.device = command.device, .json = command.json},
                    [&](World& world) { return EmbedCollective(command, world); });
}

}  // namespace

Verb EmbedVerb() {
  return {"embed", "keep a frozen tower's outputs for a dataset",
          [](const std::vector<std::string>& arguments) {
            return SpeakAsFirstRank([&] { return Embed(arguments); });
          }};
}

}  // namespace graticule
