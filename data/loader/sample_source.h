// One sample: which record stands at a global position, and its row.
//
// Fill is a pure function of (options.seed, epoch, position) and the bytes of the dataset. A bad record
// passes its turn to the next good one in dataset order; the list of bad ones found so far only saves work,
// it decides nothing. Thread-safe: each calling thread brings its own workspace. The dataset is shared and
// outlives the source. Fails: Error(kUsage) for options that make no epoch, Error(kData) for I/O and for too
// many bad records.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "data/dataset.h"
#include "data/loader/loader.h"
#include "data/loader/row_source.h"

namespace graticule {

class SampleSource {
 public:
  SampleSource(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);

  int64_t batches_per_epoch() const { return batches_; }
  // Positions of an epoch: [first, first + samples).
  int64_t epoch_samples() const { return epoch_samples_; }
  const Dataset& dataset() const { return *dataset_; }
  const SampleOrder& order() const { return *order_; }
  const RowSource& rows() const { return *rows_; }
  // Writes the rows of positions [first, first + records.size()) and the record that each shows; -1: none (a
  // bad record in evaluation), the row is then zero.
  void Fill(int64_t epoch, int64_t first, RowSource::Workspace& work, uint8_t* rows,
            std::span<int64_t> records);
  std::vector<BadRecord> quarantine() const;  // the first 1,000
  int64_t bad_records() const;

 private:
  // `record` as the order has it -> the one that is shown.
  int64_t FillOne(int64_t record, const SampleKey& key, RowSource::Workspace& work, uint8_t* row);
  bool IsKnownBad(int64_t record) const;
  void Quarantine(const BadRecord& bad);

  std::shared_ptr<const Dataset> dataset_;
  bool replace_bad_;
  int64_t epoch_samples_ = 0, batches_ = 0, max_bad_ = 0;
  std::unique_ptr<const SampleOrder> order_;
  std::unique_ptr<const RowSource> rows_;
  mutable std::mutex mutex_;
  std::unordered_set<int64_t> bad_;
  std::atomic<bool> any_bad_ = false;
  int64_t unforeseen_ = 0;  // bad ones that the import did not mark as truncated: these max_bad limits
  std::vector<BadRecord> report_;
};

}  // namespace graticule
