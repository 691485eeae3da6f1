// Stored outputs of a frozen tower for the records of a dataset: what `graticule embed` wrote, one store per
// folder of the dataset, in the same order.
//
// Open checks that each store is finished, belongs to the records of its folder (whatever its split), and
// that all of them hold the same outputs of the same tower made the same way. Parts open when they are first
// needed, from the folder `stage` where copies are there and whole (data/stage.h). Immutable; all methods are
// thread-safe. Throws Error(kData), with the name of the store.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/embedding/embedding_part.h"
#include "data/stage.h"

namespace graticule {

class EmbeddingStore {
 public:
  static std::shared_ptr<const EmbeddingStore> Open(const std::vector<std::string>& stores,
                                                    std::shared_ptr<const Dataset> dataset,
                                                    const std::string& stage = "");

  // Of the first store; the others differ in dataset, shards and seed alone.
  const EmbeddingPlan& plan() const { return stores_.front().manifest.plan; }
  const Dataset& dataset() const { return *dataset_; }
  // Copies `count` views of D values each, beginning with view `first` and wrapping around. Throws BadRecord
  // for a record without an embedding or with damaged bytes.
  void Read(int64_t record, int64_t first, int64_t count, uint8_t* out) const;
  // The same for many records, those that need no checks any more: `out` holds a place for each, firsts[i] is
  // the first view of records[i]. Sets read[i] to 1 where the copy was made; the others are for Read.
  void ReadChecked(std::span<const int64_t> records, std::span<const int64_t> firsts, int64_t count,
                   uint8_t* out, std::span<uint8_t> read) const;
  std::string Sha256() const;  // over the manifests' plans and the parts' hashes

 private:
  // Opens when first asked; a failed attempt is repeated.
  struct LazyPart {
    std::atomic<const EmbeddingPartReader*> ready = nullptr;  // `reader`, once it is there
    std::once_flag opened;
    std::unique_ptr<const EmbeddingPartReader> reader;
  };
  struct Store {
    std::string folder, stage;
    EmbeddingManifest manifest;
    std::unique_ptr<LazyPart[]> parts;  // as many as in the manifest
  };

  explicit EmbeddingStore(std::shared_ptr<const Dataset> dataset) : dataset_(std::move(dataset)) {}
  const EmbeddingPartReader& PartOf(const RecordAddress& at) const;

  std::shared_ptr<const Dataset> dataset_;
  std::vector<Store> stores_;
  size_t view_bytes_ = 0;
};

// The parts of these stores, for data/stage.h.
std::vector<StagedFile> PartFiles(const std::vector<std::string>& stores);

// Throws Error(kUsage) naming the first difference unless the store was made the way `wanted` asks for.
// For embeddings that stand for training images: data.augment decides.
void CheckPreprocessing(const EmbeddingPlan& plan, const AugmentOptions& wanted, const std::string& store);

}  // namespace graticule
