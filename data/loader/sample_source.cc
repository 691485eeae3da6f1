#include "data/loader/sample_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/error.h"
#include "data/loader/order.h"

namespace graticule {

namespace {

constexpr size_t kReported = 1000;

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

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
  if (o.views < 1 || o.views > 255 || o.depth < 1 || o.augment.image_size < 1 ||
      o.augment.image_size > 8192) {
    usage(fmt::format("views {}, depth {}, image size {}: expected 1..255, at least 1, 1..8192", o.views,
                      o.depth, o.augment.image_size),
          "");
  }
}

}  // namespace

SampleSource::SampleSource(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : dataset_(std::move(dataset)), options_(options) {
  CheckOptions(*dataset_, options_);
  GRATICULE_CHECK(options_.weights == nullptr || options_.weights->size() == dataset_->size());
  const int64_t n = dataset_->size(), batch = options_.global_batch;
  if (options_.drop_last) {
    const int64_t wanted = options_.epoch_samples > 0 ? options_.epoch_samples : n;
    batches_ = wanted / batch;
    epoch_samples_ = batches_ * batch;
    if (batches_ == 0) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("an epoch of {} samples does not fill a global batch of {}", wanted, batch),
                  "data", "Lower train.global_batch, or set data.epoch_samples to a multiple of it.");
    }
  } else {
    epoch_samples_ = options_.epoch_samples > 0 ? std::min(options_.epoch_samples, n) : n;
    batches_ = (epoch_samples_ + batch - 1) / batch;
  }
  max_bad_ = options_.max_bad > 0 ? options_.max_bad : std::max<int64_t>(10, n / 1000);
}

int64_t SampleSource::RecordAt(int64_t epoch, int64_t position) const {
  if (options_.weights != nullptr) {
    Rng rng(options_.seed, {.epoch = static_cast<uint64_t>(epoch),
                            .index = static_cast<uint64_t>(position),
                            .purpose = Purpose::kSample});
    return options_.weights->Draw(rng);
  }
  const int64_t n = dataset_->size();
  int64_t pass = epoch, index = position;
  if (options_.drop_last && options_.epoch_samples > 0) {
    const int64_t draw = epoch * epoch_samples_ + position;
    pass = draw / n;
    index = draw % n;
  }
  return options_.shuffle ? KeyedOrder(n, options_.seed, static_cast<uint64_t>(pass)).At(index) : index;
}

int64_t SampleSource::Fill(int64_t epoch, int64_t position, Workspace& work, uint8_t* images_VHWC) {
  const int64_t n = dataset_->size();
  int64_t record = RecordAt(epoch, position);
  for (int64_t tried = 0; tried < n; ++tried, record = (record + 1) % n) {
    if (!IsKnownBad(record) && Load(record, epoch, position, work)) {
      Crop(work, images_VHWC);
      return record;
    }
    if (!options_.drop_last) {
      const int64_t side = options_.augment.image_size;
      std::memset(images_VHWC, 0, static_cast<size_t>(options_.views * side * side * 3));
      return -1;
    }
  }
  throw Error(ErrorCode::kData, fmt::format("all {} records are bad, expected at least one good one", n),
              dataset_->Locate(0), "Run `graticule data verify` on the dataset.");
}

bool SampleSource::Load(int64_t record, int64_t epoch, int64_t position, Workspace& work) {
  const auto begin = std::chrono::steady_clock::now();
  try {
    dataset_->ReadImage(record, work.bytes);
  } catch (const BadRecord& bad) {
    Quarantine(record, bad.reason);
    return false;
  }
  work.read_s += Seconds(begin);
  const auto decode_begin = std::chrono::steady_clock::now();
  try {
    work.plans.clear();
    const auto part = [&](int width, int height) {
      Plan(width, height, epoch, position, work);
      return work.cropper.PartOf(work.plans);
    };
    work.shown = work.decoder.Decode(
        work.bytes, {.apply_orientation = options_.augment.apply_exif_orientation, .part = part}, work.image);
    if (work.plans.empty()) Plan(work.image.width, work.image.height, epoch, position, work);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
    Quarantine(record, error.message());
    return false;
  }
  work.decode_s += Seconds(decode_begin);
  return true;
}

void SampleSource::Plan(int width, int height, int64_t epoch, int64_t position, Workspace& work) const {
  for (int64_t view = 0; view < options_.views; ++view) {
    Rng rng(options_.seed, {.epoch = static_cast<uint64_t>(epoch),
                            .index = static_cast<uint64_t>(position),
                            .view = static_cast<uint32_t>(view),
                            .purpose = Purpose::kCrop});
    work.plans.push_back(work.cropper.Plan(width, height, rng));
  }
}

void SampleSource::Crop(Workspace& work, uint8_t* images_VHWC) const {
  const auto begin = std::chrono::steady_clock::now();
  const int64_t side = options_.augment.image_size;
  for (int64_t view = 0; view < options_.views; ++view)
    work.cropper.Crop(work.image, work.shown, work.plans[view], images_VHWC + view * side * side * 3);
  work.decode_s += Seconds(begin);
}

bool SampleSource::IsKnownBad(int64_t record) const {
  std::lock_guard lock(mutex_);
  return bad_.contains(record);
}

void SampleSource::Quarantine(int64_t record, const std::string& reason) {
  std::lock_guard lock(mutex_);
  if (!bad_.insert(record).second) return;
  if (report_.size() < kReported) report_.push_back({record, reason});
  // What the import saw and kept is no sign of decay.
  if ((dataset_->meta(record).flags & kTruncated) == 0) ++unforeseen_;
  if (unforeseen_ <= max_bad_) return;
  throw Error(
      ErrorCode::kData,
      fmt::format("{} bad records, expected at most {}; the last one: {}", unforeseen_, max_bad_, reason),
      dataset_->Locate(record),
      "Run `graticule data verify` on the dataset, or raise data.max_bad if this loss is acceptable.");
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
