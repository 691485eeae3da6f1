#include "data/embedding/embedding_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/guarded_copy.h"
#include "base/hash.h"
#include "base/log.h"

namespace graticule {
namespace {

void CheckBelongs(const std::string& store, const EmbeddingPlan& plan, const DatasetFolder& folder) {
  if (plan.records_sha256 == folder.records_sha256 && plan.shard_rows == folder.shard_rows) return;
  throw Error(ErrorCode::kData,
              fmt::format("the embeddings are of dataset \"{}\" with records {}, {} holds \"{}\" with {}",
                          plan.dataset, plan.records_sha256.substr(0, 12), folder.path, folder.name,
                          folder.records_sha256.substr(0, 12)),
              store, "Name the stores in the order of the dataset folders, or make this one again.");
}

void CheckSameKind(const std::string& store, EmbeddingPlan plan, const EmbeddingPlan& first) {
  plan.dataset = first.dataset;
  plan.records_sha256 = first.records_sha256;
  plan.shard_rows = first.shard_rows;
  plan.seed = first.seed;
  const std::string difference = FirstDifference(first, plan);
  if (difference.empty()) return;
  throw Error(ErrorCode::kData, "the store is not like the first one: " + difference, store,
              "Make all stores of a run with the same `graticule embed` options.");
}

std::unique_ptr<const EmbeddingPartReader> OpenPart(const std::string& folder, const std::string& stage,
                                                    const EmbeddingManifest& manifest, int64_t shard) {
  const std::string source = JoinPath(folder, EmbeddingPartName(shard));
  if (!stage.empty()) {
    const std::string copy = JoinPath(stage, manifest.parts[static_cast<size_t>(shard)].sha256);
    try {
      return std::make_unique<const EmbeddingPartReader>(copy, manifest.plan, shard);
    } catch (const Error& error) {
      LogWarn("{}: {}; the source is read", copy, error.message());
    }
  }
  return std::make_unique<const EmbeddingPartReader>(source, manifest.plan, shard);
}

struct ViewRun {
  int64_t first, count;
};

// `count` views from `first` on, wrapping around after the last.
std::array<ViewRun, 2> ViewRuns(int64_t views, int64_t first, int64_t count) {
  GRATICULE_CHECK(count <= views);
  first %= views;
  const int64_t before_end = std::min(count, views - first);
  return {ViewRun{first, before_end}, ViewRun{0, count - before_end}};
}

}  // namespace

std::vector<StagedFile> PartFiles(const std::vector<std::string>& stores) {
  std::vector<StagedFile> files;
  for (const std::string& folder : stores) {
    for (const EmbeddingPart& part : ReadEmbeddingManifest(folder).parts) files.push_back({folder, part, {}});
  }
  return files;
}

std::shared_ptr<const EmbeddingStore> EmbeddingStore::Open(const std::vector<std::string>& stores,
                                                           std::shared_ptr<const Dataset> dataset,
                                                           const std::string& stage) {
  const std::vector<DatasetFolder> folders = dataset->folders();
  if (stores.size() != folders.size()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{} embedding stores for {} dataset folders", stores.size(), folders.size()), "",
                "name one store per dataset folder, in the same order");
  }
  std::shared_ptr<EmbeddingStore> out(new EmbeddingStore(std::move(dataset)));
  for (size_t i = 0; i < stores.size(); ++i) {
    Store& store = out->stores_.emplace_back();
    store.folder = stores[i];
    store.stage = stage;
    store.manifest = ReadEmbeddingManifest(stores[i]);
    CheckBelongs(stores[i], store.manifest.plan, folders[i]);
    CheckSameKind(stores[i], store.manifest.plan, out->plan());
    for (const EmbeddingPart& part : store.manifest.parts) CheckPartSize(stores[i], part);
    store.parts = std::make_unique<LazyPart[]>(store.manifest.parts.size());
  }
  out->view_bytes_ = out->plan().view_bytes();
  return out;
}

const EmbeddingPartReader& EmbeddingStore::PartOf(const RecordAddress& at) const {
  const Store& store = stores_[static_cast<size_t>(at.folder)];
  LazyPart& part = store.parts[static_cast<size_t>(at.shard)];
  if (const EmbeddingPartReader* ready = part.ready.load(std::memory_order_acquire)) return *ready;
  std::call_once(part.opened, [&] {
    part.reader = OpenPart(store.folder, store.stage, store.manifest, at.shard);
    part.ready.store(part.reader.get(), std::memory_order_release);
  });
  return *part.reader;
}

void EmbeddingStore::Read(int64_t record, int64_t first, int64_t count, uint8_t* out) const {
  const RecordAddress at = dataset_->Address(record);
  const EmbeddingPartReader& part = PartOf(at);
  if (!part.valid(at.row))
    throw BadRecord{record, "the store has no embedding of this record", /*foreseen=*/true};
  for (const ViewRun& run : ViewRuns(plan().views, first, count)) {
    const size_t bytes = static_cast<size_t>(run.count) * view_bytes_;
    part.Read(at.row, record, static_cast<size_t>(run.first) * view_bytes_, bytes, out);
    out += bytes;
  }
}

void EmbeddingStore::ReadChecked(std::span<const int64_t> records, std::span<const int64_t> firsts,
                                 int64_t count, uint8_t* out, std::span<uint8_t> read) const {
  std::vector<MappedCopy> copies;
  std::vector<size_t> record_of;  // of each copy
  copies.reserve(records.size());
  record_of.reserve(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    const RecordAddress at = dataset_->Address(records[i]);
    const uint8_t* const row = PartOf(at).Checked(at.row);
    read[i] = row != nullptr;
    for (const ViewRun& run : ViewRuns(plan().views, firsts[i], count)) {
      const size_t bytes = static_cast<size_t>(run.count) * view_bytes_;
      if (row != nullptr && bytes > 0) {
        copies.push_back(
            {.out = out, .from = row + static_cast<size_t>(run.first) * view_bytes_, .bytes = bytes});
        record_of.push_back(i);
      }
      out += bytes;
    }
  }
  GuardedCopy(copies);
  for (size_t j = 0; j < copies.size(); ++j) read[record_of[j]] &= static_cast<uint8_t>(copies[j].done);
}

std::string EmbeddingStore::Sha256() const {
  class Sha256 hash;
  for (const Store& store : stores_) {
    hash.Update(PlanJson(store.manifest.plan));
    for (const EmbeddingPart& part : store.manifest.parts) hash.Update(part.sha256);
  }
  return hash.HexDigest();
}

void CheckPreprocessing(const EmbeddingPlan& plan, const AugmentOptions& wanted, const std::string& store) {
  const AugmentOptions& made = plan.augment;
  const auto compare = [&](const char* key, const std::string& found, const std::string& expected) {
    if (found == expected) return;
    throw Error(
        ErrorCode::kUsage,
        fmt::format("the embeddings were made with {} {}, the configuration says {}", key, found, expected),
        store, "Make the store with `graticule embed --config` of this configuration.");
  };
  compare("image_size", std::to_string(made.image_size), std::to_string(wanted.image_size));
  compare("data.augment.filter", made.filter, wanted.filter);
  compare("data.exif_orientation", made.apply_exif_orientation ? "apply" : "ignore",
          wanted.apply_exif_orientation ? "apply" : "ignore");
  if (made.kind != wanted.kind) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("the store holds images cropped by {}, wanted is {}", made.kind, wanted.kind), store,
        wanted.kind == "random_resized_crop" ? "Make the training store with `graticule embed --draws N`."
        : made.kind == "random_resized_crop"
            ? "Training takes random draws with data.augment of their making; "
              "evaluation takes a store made without --draws."
        : made.kind == "ten_crop" ? "Evaluate it with `--crops ten`."
                                  : "Make the store again with these crops.");
  }
  if (made.kind != "random_resized_crop") return;
  compare("data.decode", made.decode, wanted.decode);
  compare("data.augment.scale", fmt::format("[{}, {}]", made.scale_min, made.scale_max),
          fmt::format("[{}, {}]", wanted.scale_min, wanted.scale_max));
  compare("data.augment.ratio", fmt::format("[{}, {}]", made.ratio_min, made.ratio_max),
          fmt::format("[{}, {}]", wanted.ratio_min, wanted.ratio_max));
}

}  // namespace graticule
