#include "trainer/run/training_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "data/loader/draw_places.h"
#include "data/loader/sample_weights.h"
#include "trainer/cuda_module.h"
#include "trainer/recipes/registry.h"
#include "trainer/run/node_stage.h"

namespace graticule {

namespace {

void CheckNeighbours(const Dataset& dataset) {
  const double share = NeighbourShare(dataset);
  if (share <= kMaxNeighbours) return;
  throw Error(ErrorCode::kUsage,
              fmt::format("{:.1f} % of neighbouring records lie within 25 km of each other, at most {:.0f} % "
                          "do not spoil the mixing of blocks",
                          100 * share, 100 * kMaxNeighbours),
              "data.block", "set data.block.records=0, or import the records in a random order");
}

bool NeedsKeys(const RootConfig& config) {
  return config.recipe.kind == "geoclip" && !config.loss.contrastive.mask.same.empty();
}

std::shared_ptr<const Gallery> GalleryOf(const RootConfig& config, const Dataset& train) {
  const GalleryConfig& wanted = config.recipe.geoclip.gallery;
  if (!wanted.file.empty()) return std::make_shared<const Gallery>(Gallery::Load(wanted.file));
  const std::vector<LatLon> places = PlacesOf(train);
  const auto seed = static_cast<uint64_t>(config.run.seed);
  const int64_t size = std::min<int64_t>(wanted.size, std::ssize(places));
  const GallerySource source{train.Sha256(), fmt::format("{}", fmt::join(config.data.train_split, ",")),
                             seed};
  return std::make_shared<const Gallery>(DrawPlaces(places, size, seed), source, config.data.train.front());
}

// A queue that starts empty, or at one spot, teaches nothing until it has been filled.
std::vector<LatLon> QueueStart(const RootConfig& config, const Dataset& train) {
  if (config.recipe.kind != "geoclip" || config.recipe.geoclip.negatives.queue == 0) return {};
  const std::vector<LatLon> places = PlacesOf(train);
  const int64_t wanted = std::min<int64_t>(config.recipe.geoclip.negatives.queue, std::ssize(places));
  const auto seed = static_cast<uint64_t>(config.run.seed);
  return DrawPlaces(places, wanted, Rng(seed, {.purpose = Purpose::kQueueFill}).NextU64());
}

TrainingData OpenFrom(const RootConfig& config, const std::string& stage) {
  TrainingData data;
  // Where embeddings stand for the images, no shard was staged.
  const auto stage_of = [&](const std::vector<std::string>& stores) { return stores.empty() ? stage : ""; };
  data.train = Dataset::Open(config.data.train, {.split = config.data.train_split,
                                                 .share = config.data.share,
                                                 .keys = NeedsKeys(config),
                                                 .stage = stage_of(config.data.train_embeddings)});
  if (!config.data.val.empty()) {
    data.val = Dataset::Open(config.data.val,
                             {.split = config.data.val_split, .stage = stage_of(config.data.val_embeddings)});
  }
  const int64_t size = config.model.vision.image_size;
  if (!config.data.train_embeddings.empty()) {
    data.train_embeddings = EmbeddingStore::Open(config.data.train_embeddings, data.train, stage);
    CheckPreprocessing(data.train_embeddings->plan(), config.data.TrainAugment(size),
                       config.data.train_embeddings.front());
  }
  if (!config.data.val_embeddings.empty()) {
    data.val_embeddings = EmbeddingStore::Open(config.data.val_embeddings, data.val, stage);
    AugmentOptions wanted = config.data.EvalAugment(size);
    if (data.val_embeddings->plan().augment.kind == "ten_crop") wanted.kind = "ten_crop";
    CheckPreprocessing(data.val_embeddings->plan(), wanted, config.data.val_embeddings.front());
  }
  if (config.data.block.records > 0) CheckNeighbours(*data.train);
  if (config.recipe.kind == "geocells" || config.data.sampling.by == "cell")
    data.cells = CellTable::Load(config.cells.file);
  if (config.recipe.kind == "geoclip") data.gallery = GalleryOf(config, *data.train);
  data.coverage = CheckCoverage(config, *data.train);
  return data;
}

}  // namespace

TrainingData TrainingData::Open(const RootConfig& config) { return OpenFrom(config, ""); }

void TrainingData::FillHashes(TrainState& state) const {
  state.data_sha256 = train->Sha256();
  state.embeddings_sha256 = train_embeddings == nullptr ? "" : train_embeddings->Sha256();
  state.cells_sha256 = cells == nullptr ? "" : cells->Sha256();
  state.gallery_sha256 = gallery == nullptr ? "" : gallery->Sha256();
}

void CheckTower(const Recipe& recipe, const std::vector<NamedStore>& stores) {
  std::string tower;
  for (const auto& [embeddings, name] : stores) {
    if (embeddings == nullptr) continue;
    const EmbeddingPlan& plan = embeddings->plan();
    if (plan.output != recipe.TowerOutputName()) {
      throw Error(
          ErrorCode::kUsage,
          fmt::format("the store holds {}, the recipe takes {}", plan.output, recipe.TowerOutputName()), name,
          "see model.pooling, or embed again with --output");
    }
    if (tower.empty()) tower = recipe.TowerHash();
    if (plan.tower_sha256 == tower) continue;
    throw Error(ErrorCode::kUsage,
                fmt::format("the store was made with tower {}, the model's is {}",
                            plan.tower_sha256.substr(0, 12), tower.substr(0, 12)),
                name, "start from the same model.init (or the same run.seed), or make the store again");
  }
}

TrainingData TrainingData::OpenCollective(const RootConfig& config, Communicator& control) {
  // The others wait: a mistake is reported by rank 0 alone, and its reads fill the page cache of the node.
  std::optional<TrainingData> data;
  if (control.rank() == 0) data = Open(config);
  control.Barrier();
  if (config.data.stage.empty()) return data ? std::move(*data) : Open(config);
  data.reset();
  StageCollective(config.data, config.log.quiet, control);
  return OpenFrom(config, config.data.stage);
}

c10::Device DeviceOf(const World& world) {
  if (world.cuda == nullptr) return c10::kCPU;
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(world.local_rank));
}

int PlannedThreads(const RootConfig& config, const TrainState& state, const World& world) {
  if (config.train.threads > 0) return static_cast<int>(config.train.threads);
  return state.threads > 0 ? state.threads : world.cpus;
}

PredictOptions EvaluationOptions(const RootConfig& config, const World& world) {
  PredictOptions options;
  options.augment = config.data.EvalAugment(config.model.vision.image_size);
  const int64_t share = config.train.global_batch / world.size;
  const int64_t micro = config.train.micro_batch > 0 ? config.train.micro_batch : share;
  options.rank_batch = config.eval.batch > 0 ? config.eval.batch : std::max<int64_t>(1, micro);
  options.samples = config.eval.samples;
  options.threads = static_cast<int>(config.data.threads);
  options.device = DeviceOf(world);
  options.cuda = world.cuda;
  return options;
}

CheckpointTensors TrainingParts::Tensors() const {
  CheckpointTensors files = {{"model.safetensors", recipe->Parameters()},
                             {"optimizer.safetensors", optimizer->State()}};
  if (auto buffers = recipe->Buffers(); !buffers.empty())
    files.emplace_back("recipe_state.safetensors", std::move(buffers));
  if (average != nullptr) files.emplace_back(kAverageFile, average->State());
  return files;
}

TrainingParts TrainingParts::BuildCollective(const RootConfig& config, const TrainingData& data,
                                             const TrainState& state, bool random_init, World& world) {
  TrainingParts parts;
  parts.recipe = MakeRecipe(config, {.cells = data.cells,
                                     .gallery = data.gallery,
                                     .queue_start = QueueStart(config, *data.train),
                                     .state = state.recipe_state,
                                     .random_init = random_init,
                                     .device = DeviceOf(world),
                                     .cuda = world.cuda});
  // GradSync fills its buckets in reverse order of this list, as backward produces gradients: model order,
  // not groups.
  for (const NamedTensor& p : parts.recipe->Parameters()) {
    if (p.tensor.requires_grad()) parts.trainable.push_back(p);
  }
  parts.sync =
      std::make_unique<GradSync>(parts.trainable, world.data, world.control, config.comm, world.cuda);
  std::map<std::string, at::Tensor> gradients;
  for (size_t i = 0; i < parts.trainable.size(); ++i)
    gradients[parts.trainable[i].name] = parts.sync->GradOf(i);
  parts.optimizer = Optimizer::Create(config.optim, parts.recipe->Groups(), gradients);
  if (config.optim.ema_decay > 0)
    parts.average = std::make_unique<WeightAverage>(config.optim.ema_decay, parts.trainable);
  parts.step =
      std::make_unique<TrainStep>(*parts.recipe, *parts.optimizer, *parts.sync, world.control, world.data,
                                  StepOptions{config.train.micro_batch, config.optim.clip_norm,
                                              DeviceOf(world), world.cuda, parts.average.get()});

  LoaderOptions loading;
  loading.seed = static_cast<uint64_t>(config.run.seed);
  loading.global_batch = config.train.global_batch;
  loading.rank = world.rank;
  loading.world_size = world.size;
  loading.epoch_samples = config.data.epoch_samples;
  loading.threads = static_cast<int>(config.data.threads);
  loading.depth = static_cast<int>(config.data.depth);
  loading.max_bad = config.data.max_bad;
  loading.augment = config.data.TrainAugment(config.model.vision.image_size);
  if (config.data.sampling.by != "none") {
    const std::vector<int64_t> groups = config.data.sampling.by == "cell"
                                            ? GroupsByCell(*data.train, *data.cells)
                                            : GroupsByCountry(*data.train);
    loading.weights = std::make_shared<const AliasTable>(SampleWeights(groups, config.data.sampling.alpha));
  }
  loading.mixture = config.data.mixture;
  loading.block = {config.data.block.records, config.data.block.pool};
  if (config.data.plan.kind != "none") {
    PredictOptions features = EvaluationOptions(config, world);
    features.embeddings = data.train_embeddings;
    parts.plans = std::make_unique<EpochPlans>(config, data.train, features, world);
    loading.plans = parts.plans->folder();
  }
  loading.embeddings = data.train_embeddings;
  if (config.data.decodes_on_device()) loading.jpeg_device = &world.cuda->Jpegs();
  loading.keys = NeedsKeys(config);
  if (config.recipe.kind == "geoclip") loading.views = config.recipe.geoclip.views;
  HostAllocator& memory = world.cuda != nullptr ? world.cuda->PinnedAllocator() : PageableAllocator();
  parts.loader = Loader::Create(data.train, loading, memory);
  return parts;
}

}  // namespace graticule
