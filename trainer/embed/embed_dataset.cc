#include "trainer/embed/embed_dataset.h"

#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/atomic_file.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/embedding/embedding_part.h"
#include "data/embedding/verify_store.h"
#include "data/image/augment.h"
#include "data/loader/loader.h"
#include "models/frozen_tower.h"
#include "models/tensor_io.h"
#include "trainer/cuda_module.h"
#include "trainer/run/training_parts.h"
#include "trainer/step/micro_batch.h"

namespace graticule {
namespace {

constexpr char kHeldHint[] = "wait until the other `graticule embed` has ended";

EmbeddingPlan PlanOf(const VisionTower& tower, const EmbedOptions& options, const Dataset& dataset) {
  const DatasetFolder folder = dataset.folders().front();
  EmbeddingPlan plan;
  plan.tower_sha256 = TowerSha256(tower);
  plan.output = options.output;
  plan.precision = options.precision;
  plan.dataset = folder.name;
  plan.records_sha256 = folder.records_sha256;
  plan.augment = options.augment;
  const bool random = options.augment.kind == "random_resized_crop";
  plan.seed = random ? options.seed : 0;
  plan.views = random ? options.draws : options.augment.kind == "ten_crop" ? kTenCrops : 1;
  plan.dim = TowerOutputWidth(tower.config(), options.output);
  plan.dtype = options.dtype;
  plan.shard_rows = folder.shard_rows;
  return plan;
}

void RequireImages(const Dataset& dataset, const std::string& folder) {
  int64_t record = 0;
  while (record < dataset.size() && dataset.image_bytes(record) == 0) ++record;
  if (record < dataset.size()) return;
  throw Error(ErrorCode::kData, fmt::format("none of its {} records has an image", dataset.size()), folder,
              "datasets of places alone serve for cells and galleries");
}

// The folder becomes this plan's, or already is.
void ClaimFolder(const std::string& folder, const EmbeddingPlan& plan) {
  FileSystem& fs = PosixFs();
  RemoveUnfinished(fs, folder, [](const std::string& name) {
    return name == kManifestName || name == kPlanName || name.ends_with(".emb");
  });
  for (const char* name : {kManifestName, kPlanName}) {
    const std::string path = JoinPath(folder, name);
    if (!fs.Exists(path)) continue;
    if (!IsEmbeddingStore(folder))
      throw Error(ErrorCode::kUsage, "this folder holds a dataset", folder, "choose another --out");
    const std::string difference = FirstDifference(ParsePlan(ReadFileToString(path), path), plan);
    if (difference.empty()) return;
    throw Error(ErrorCode::kUsage, "the folder holds other embeddings: " + difference, folder,
                "choose another --out, or remove the folder");
  }
  WriteFileAtomically(fs, JoinPath(folder, kPlanName), PlanJson(plan));
}

// Those that are not there, and of a finished store that lacks some those that are not what was sealed: the
// manifest then goes first, so that nobody takes the store for whole.
std::vector<int64_t> MissingParts(const std::string& folder, const EmbeddingPlan& plan) {
  FileSystem& fs = PosixFs();
  const std::string manifest_path = JoinPath(folder, kManifestName);
  std::vector<EmbeddingPart> sealed;
  if (fs.Exists(manifest_path)) sealed = ReadEmbeddingManifest(folder).parts;
  std::vector<int64_t> missing;
  for (size_t shard = 0; shard < plan.shard_rows.size(); ++shard) {
    const auto number = static_cast<int64_t>(shard);
    const std::string path = JoinPath(folder, EmbeddingPartName(number));
    const bool there = fs.Exists(path);
    if (there && (sealed.empty() || fs.FileSize(path) == sealed[shard].size)) continue;
    missing.push_back(number);
  }
  if (missing.empty() || sealed.empty()) return missing;
  // A new manifest will vouch for the others: only for the bytes that the old one knows.
  missing.clear();
  for (size_t shard = 0; shard < sealed.size(); ++shard) {
    try {
      CheckHash(folder, sealed[shard]);
    } catch (const Error& error) {
      LogWarn("{}: {}; it is made again", error.where(), error.message());
      missing.push_back(static_cast<int64_t>(shard));
      fs.Remove(JoinPath(folder, sealed[shard].file));
    }
  }
  WriteFileAtomically(fs, JoinPath(folder, kPlanName), PlanJson(plan));
  fs.Remove(manifest_path);
  return missing;
}

// fp16 ends at 65504 and no type keeps NaN apart from a broken model.
at::Tensor Rounded(const at::Tensor& values_BD, const EmbeddingPlan& plan) {
  const at::Tensor rounded = values_BD.to(ScalarTypeOf(plan.dtype));
  if (rounded.isfinite().all().item<bool>()) return rounded.to(c10::kCPU).contiguous();
  const bool tower = !values_BD.isfinite().all().item<bool>();
  throw Error(ErrorCode::kData,
              tower ? "the tower's output is not finite"
                    : fmt::format("the tower's output reaches {:g}, more than {} holds",
                                  values_BD.abs().max().item<double>(), NameOf(plan.dtype)),
              "", tower ? "check its weights" : "embed with --dtype bf16 or fp32");
}

// One rank's share of the work.
class Embedder {
 public:
  Embedder(VisionTower& tower, const EmbedOptions& options, const EmbeddingPlan& plan,
           std::shared_ptr<const Dataset> dataset, World& world)
      : tower_(tower), options_(options), plan_(plan), dataset_(std::move(dataset)), world_(world) {}

  // parts: numbers of the shards to embed.
  void Run(const std::vector<int64_t>& parts) {
    int64_t records = 0;
    for (const int64_t shard : parts) records += plan_.shard_rows[static_cast<size_t>(shard)];
    Progress progress(StderrTerminal(), SystemClock(),
                      {.unit = "image", .total = records, .quiet = options_.quiet || !world_.is_first()});
    for (const int64_t shard : parts) EmbedShard(shard, progress);
    if (records > 0) progress.Finish();
  }

 private:
  void EmbedShard(int64_t shard, Progress& progress);

  VisionTower& tower_;
  const EmbedOptions& options_;
  const EmbeddingPlan& plan_;
  std::shared_ptr<const Dataset> dataset_;
  World& world_;
  int64_t done_ = 0;
};

void Embedder::EmbedShard(int64_t shard, Progress& progress) {
  const auto number = static_cast<size_t>(shard);
  LoaderOptions loading;
  loading.seed = options_.seed;
  loading.shuffle = false;
  loading.drop_last = false;
  for (size_t before = 0; before < number; ++before) loading.first += plan_.shard_rows[before];
  loading.epoch_samples = plan_.shard_rows[number];
  loading.global_batch = std::max<int64_t>(1, options_.batch / plan_.views);
  loading.views = plan_.views;
  loading.threads = options_.threads;
  loading.augment = options_.augment;
  loading.max_bad = dataset_->size();  // they are counted, and stay invalid
  HostAllocator& memory = world_.cuda != nullptr ? world_.cuda->PinnedAllocator() : PageableAllocator();
  const auto loader = Loader::Create(dataset_, loading, memory);
  EmbeddingPartWriter writer(plan_, shard);
  const size_t row_bytes = static_cast<size_t>(plan_.views) * plan_.view_bytes();
  int64_t row = 0;
  while (const Batch* batch = loader->Next()) {
    const StagedInput staged = StageInput(*batch, DeviceOf(world_), world_.cuda);
    const at::Tensor values = Rounded(TowerOutput(tower_, staged.input.images_B3HW, plan_.output), plan_);
    const auto* bytes = static_cast<const uint8_t*>(values.const_data_ptr());
    for (int64_t b = 0; b < batch->size; ++b, ++row) {
      if (batch->position[b] < 0) continue;  // padding, or an image that cannot be read
      writer.Store(row, bytes + static_cast<size_t>(b) * row_bytes);
    }
    done_ += std::min(batch->size, loading.epoch_samples - (row - batch->size));
    loader->Release(batch);
    progress.Update(done_, world_.size > 1 ? fmt::format("first of {} ranks", world_.size) : "");
  }
  writer.Write(PosixFs(), options_.out);
}

}  // namespace

EmbeddingManifest EmbedDatasetCollective(VisionTower& tower, const EmbedOptions& options, World& world) {
  const torch::autograd::AutoGradMode no_grad(false);
  // Rank 0 opens first: a mistake is told once.
  if (!world.is_first()) world.control.Barrier();
  const auto dataset = Dataset::Open({options.dataset}, {.without_images = true});
  RequireImages(*dataset, options.dataset);
  const EmbeddingPlan plan = PlanOf(tower, options, *dataset);
  std::optional<FileLock> lock;
  std::string missing_json;
  if (world.is_first()) {
    PosixFs().MakeDirs(options.out);
    lock.emplace(JoinPath(options.out, ".lock"), kHeldHint);
    ClaimFolder(options.out, plan);
    missing_json = nlohmann::json(MissingParts(options.out, plan)).dump();
    world.control.Barrier();
  }
  const nlohmann::json missing = nlohmann::json::parse(world.control.BroadcastString(missing_json, 0));
  if (world.is_first() && missing.empty()) {
    LogInfo("{}: all {} parts are there already; `graticule data verify` reads and checks them", options.out,
            plan.shard_rows.size());
  } else if (world.is_first() && missing.size() < plan.shard_rows.size()) {
    LogInfo("{}: {} of {} parts are there already", options.out, plan.shard_rows.size() - missing.size(),
            plan.shard_rows.size());
  }
  std::vector<int64_t> mine;
  for (size_t i = static_cast<size_t>(world.rank); i < missing.size(); i += static_cast<size_t>(world.size))
    mine.push_back(missing[i]);
  Embedder(tower, options, plan, dataset, world).Run(mine);

  world.control.Barrier();
  if (world.is_first() && !PosixFs().Exists(JoinPath(options.out, kManifestName))) {
    EmbeddingManifest manifest{.plan = plan, .parts = {}};
    for (size_t shard = 0; shard < plan.shard_rows.size(); ++shard)
      manifest.parts.push_back(DescribePart(options.out, plan, static_cast<int64_t>(shard)).value());
    WriteEmbeddingManifest(PosixFs(), options.out, manifest);
    PosixFs().Remove(JoinPath(options.out, kPlanName));
  }
  world.control.Barrier();
  return ReadEmbeddingManifest(options.out);
}

}  // namespace graticule
