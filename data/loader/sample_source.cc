#include "data/loader/sample_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "data/loader/device_rows.h"
#include "data/loader/embedding_rows.h"
#include "data/loader/image_rows.h"

namespace graticule {

namespace {

constexpr size_t kReported = 1000;

void CheckOptions(const Dataset& dataset, const LoaderOptions& o) {
  const auto usage = [](std::string what, std::string hint) {
    throw Error(ErrorCode::kUsage, std::move(what), "data", std::move(hint));
  };
  if (dataset.size() < 1) {
    throw Error(ErrorCode::kData, "the dataset has no records, expected at least one", "data",
                "Check the folders and the split that is selected.");
  }
  if (o.world_size < 1 || o.rank < 0 || o.rank >= o.world_size) {
    usage(fmt::format("rank {} of {}, expected 0 <= rank < ranks", o.rank, o.world_size), "");
  }
  if (o.global_batch < o.world_size) {
    usage(fmt::format("a global batch of {} samples for {} ranks, expected at least one per rank",
                      o.global_batch, o.world_size),
          "Raise train.global_batch or start fewer ranks.");
  }
  if (o.depth < 1) usage(fmt::format("depth {}, expected at least 1", o.depth), "");
  GRATICULE_CHECK(o.first == 0 || (!o.shuffle && o.first < dataset.size()));
}

OrderOptions OrderOf(const Dataset& dataset, const LoaderOptions& o, int64_t epoch_samples) {
  OrderOptions order;
  order.seed = o.seed;
  order.records = dataset.size();
  order.epoch_samples = epoch_samples;
  order.endless = o.drop_last && o.epoch_samples > 0;
  order.shuffle = o.shuffle;
  order.block = o.block;
  order.weights = o.weights;
  order.mixture = o.mixture;
  order.plans = o.plans;
  if (!o.mixture.empty()) {
    for (const DatasetFolder& folder : dataset.folders()) order.member_records.push_back(folder.size);
  }
  return order;
}

}  // namespace

SampleSource::SampleSource(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : dataset_(std::move(dataset)), replace_bad_(options.drop_last) {
  CheckOptions(*dataset_, options);
  const int64_t n = dataset_->size(), batch = options.global_batch;
  if (options.drop_last) {
    const int64_t wanted = options.epoch_samples > 0 ? options.epoch_samples : n;
    batches_ = wanted / batch;
    epoch_samples_ = batches_ * batch;
    if (batches_ == 0) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("an epoch of {} samples does not fill a global batch of {}", wanted, batch),
                  "data", "Lower train.global_batch, or set data.epoch_samples to a multiple of it.");
    }
  } else {
    const int64_t left = n - options.first;
    epoch_samples_ = options.epoch_samples > 0 ? std::min(options.epoch_samples, left) : left;
    batches_ = (epoch_samples_ + batch - 1) / batch;
  }
  max_bad_ = options.max_bad > 0 ? options.max_bad : std::max<int64_t>(10, n / 1000);
  order_ = SampleOrder::Create(OrderOf(*dataset_, options, epoch_samples_));
  if (options.embeddings != nullptr) {
    rows_ = MakeEmbeddingRows(options.embeddings, options.views);
  } else if (options.jpeg_device != nullptr) {
    rows_ = MakeDeviceRows(dataset_, {options.seed, options.views, options.augment}, *options.jpeg_device);
  } else {
    rows_ = MakeImageRows(dataset_, {options.seed, options.views, options.augment});
  }
}

void SampleSource::Fill(int64_t epoch, int64_t first, RowSource::Workspace& work, uint8_t* rows,
                        std::span<int64_t> records) {
  order_->RecordsAt(epoch, first, records);
  std::vector<SampleKey> keys(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    const int64_t position = first + static_cast<int64_t>(i);
    keys[i] = {epoch, position, rows_->by_pass() ? order_->PassAt(epoch, position) : epoch};
  }
  std::vector<uint8_t> done(records.size());
  rows_->FillTogether(records, keys, work, rows, done);
  for (size_t i = 0; i < records.size(); ++i) {
    if (done[i] == 0) records[i] = FillOne(records[i], keys[i], work, rows + i * rows_->row_bytes());
  }
}

int64_t SampleSource::FillOne(int64_t record, const SampleKey& key, RowSource::Workspace& work,
                              uint8_t* row) {
  const int64_t n = dataset_->size();
  for (int64_t tried = 0; tried < n; ++tried, record = (record + 1) % n) {
    if (!IsKnownBad(record)) {
      try {
        rows_->Fill(record, key, work, row);
        return record;
      } catch (const BadRecord& bad) {
        Quarantine(bad);
      }
    }
    if (!replace_bad_) {
      std::memset(row, 0, rows_->row_bytes());
      return -1;
    }
  }
  throw Error(ErrorCode::kData, fmt::format("all {} records are bad, expected at least one good one", n),
              dataset_->Locate(0), "Run `graticule data verify` on the dataset.");
}

bool SampleSource::IsKnownBad(int64_t record) const {
  if (!any_bad_.load(std::memory_order_relaxed)) return false;
  std::lock_guard lock(mutex_);
  return bad_.contains(record);
}

void SampleSource::Quarantine(const BadRecord& bad) {
  const auto& [record, reason, foreseen] = bad;
  std::lock_guard lock(mutex_);
  if (!bad_.insert(record).second) return;
  any_bad_ = true;
  if (report_.size() < kReported) report_.push_back(bad);
  // What the import saw and kept, or embedding could not read, is no sign of decay.
  if (!foreseen && (dataset_->meta(record).flags & kTruncated) == 0) ++unforeseen_;
  if (unforeseen_ <= max_bad_) return;
  throw Error(
      ErrorCode::kData,
      fmt::format("{} bad records, expected at most {}; the last one: {}", unforeseen_, max_bad_, reason),
      dataset_->Locate(record),
      "Run `graticule data verify` on the dataset, or on the embedding store that stands for it; raise "
      "data.max_bad if this loss is acceptable.");
}

std::vector<BadRecord> SampleSource::quarantine() const {
  std::lock_guard lock(mutex_);
  return report_;
}

int64_t SampleSource::bad_records() const {
  std::lock_guard lock(mutex_);
  return static_cast<int64_t>(bad_.size());
}

}  // namespace graticule
