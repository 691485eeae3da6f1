// Streams batches of a dataset: keyed order, worker threads that read, decode, crop and resize, and a ring of
// buffers.
//
// The sample at global position p of epoch e is a pure function of (seed, e, p): the same for any number of
// ranks, threads and restarts. Global batch t holds positions [t*G, (t+1)*G); rank r takes the slice [r*G/R,
// (r+1)*G/R). A bad record (CRC, decoding, limits, truncation) is replaced by the next good record in dataset
// order, decided by bytes alone, counted and reported; in evaluation (drop_last false) its row becomes
// padding instead, so that no record is judged twice. More than max_bad of them on one rank, or an I/O
// failure: Error(kData) from Next. With epoch_samples set, epochs are consecutive stretches of an endless
// stream of permutations, so every record comes equally often however long an epoch is; otherwise each epoch
// is one permutation without its tail. One consumer thread; workers are owned and start with the first Next
// or Seek. Destroying the loader joins them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/host_allocator.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "data/image/augment_options.h"
#include "data/loader/sample_order.h"

namespace graticule {

class EmbeddingStore;
class JpegDevice;

struct LoaderOptions {
  uint64_t seed = 0;
  int64_t global_batch = 0;
  int rank = 0, world_size = 1;
  bool shuffle = true;        // false: dataset order
  int64_t epoch_samples = 0;  // 0: floor(N / global_batch) * global_batch; the tail is dropped in training
  bool drop_last = true;      // false (evaluation): the last batch is padded with position -1
  int threads = 0;            // at most so many take rows; 0: CPUs in the affinity mask
  int depth = 3;              // batches in flight
  int64_t views = 1;
  int64_t max_bad = 0;  // 0: max(10, 0.1 % of records)
  AugmentOptions augment;
  // Orders other than a permutation per epoch (data/loader/sample_order.h), at most one of them.
  std::shared_ptr<const AliasTable> weights;
  BlockOrder block;
  std::vector<double> mixture;  // a weight per folder of the dataset
  std::shared_ptr<const PlanFolder> plans;
  int64_t first = 0;  // dataset order only: positions, and so records, begin here
  bool keys = false;  // fill Batch::keys; the dataset must have been opened with them
  // Rows come from here instead of from images; `augment` is then unused.
  std::shared_ptr<const EmbeddingStore> embeddings;
  JpegDevice* jpeg_device = nullptr;  // decodes what it can; must outlive the loader. Null: the CPU does all
};

struct LoaderStats {
  int64_t batches = 0, images = 0, bad_records = 0;
  int64_t ready = 0;                            // batches that wait to be taken
  int workers = 0;                              // threads that take rows now (data/loader/worker_pace.h)
  int64_t io_retries = 0;                       // of the whole process
  int64_t by_device = 0;                        // rows decoded by jpeg_device, those prepared ahead included
  double wait_s = 0, read_s = 0, decode_s = 0;  // summed over workers except wait_s
};

class Loader {
 public:
  virtual ~Loader() = default;
  static std::unique_ptr<Loader> Create(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options,
                                        HostAllocator& memory = PageableAllocator());
  virtual int64_t batches_per_epoch() const = 0;
  // Repositions in O(1): the next batch is global batch `batch` of `epoch`. Drops what is in flight.
  virtual void Seek(int64_t epoch, int64_t batch) = 0;
  // Blocks. Runs on into the next epoch in training; returns nullptr at the end when drop_last is false. With
  // plans it returns nullptr at the end of each epoch: the next one has no order until its plan is open, then
  // Seek goes on.
  // The returned batch is valid until Release or the next-but-(depth-1) call.
  virtual const Batch* Next() = 0;
  virtual void Release(const Batch* batch) = 0;
  virtual LoaderStats stats() const = 0;
  virtual std::vector<BadRecord> quarantine() const = 0;  // the first 1,000
  virtual std::string order_name() const = 0;             // SampleOrder::name: part of every checkpoint
};

}  // namespace graticule
