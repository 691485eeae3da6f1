#include "data/loader/loader.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/fs.h"
#include "data/loader/sample_source.h"
#include "data/loader/worker_pace.h"

namespace graticule {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

double Between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

int AvailableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

// A row without a sample: every label masked.
void ClearRow(Batch& batch, int64_t row) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  batch.places[row] = {nan, nan};
  batch.position[row] = batch.record[row] = -1;
  batch.climate[row] = batch.month[row] = -1;
  if (!batch.keys.empty()) batch.keys[row] = {};
  std::fill_n(batch.aux_B6.begin() + row * kAuxColumnCount, kAuxColumnCount, nan);
}

// Of the record that the row shows.
void LabelRow(const Dataset& dataset, int64_t position, Batch& batch, int64_t row) {
  const int64_t record = batch.record[row];
  const RecordMeta meta = dataset.meta(record);
  batch.places[row] = meta.place;
  batch.position[row] = position;
  batch.climate[row] = meta.climate == 0 || meta.climate == kMissingU8 ? -1 : meta.climate - 1;
  batch.month[row] = meta.month >= 1 && meta.month <= 12 ? meta.month - 1 : -1;
  std::copy_n(meta.aux, kAuxColumnCount, batch.aux_B6.begin() + row * kAuxColumnCount);
  if (!batch.keys.empty()) batch.keys[row] = dataset.keys(record);
}

class RingLoader final : public Loader {
 public:
  RingLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options, HostAllocator& memory);
  ~RingLoader() override;
  int64_t batches_per_epoch() const override { return source_.batches_per_epoch(); }
  void Seek(int64_t epoch, int64_t batch) override;
  const Batch* Next() override;
  void Release(const Batch* batch) override;
  LoaderStats stats() const override;
  std::vector<BadRecord> quarantine() const override;
  std::string order_name() const override { return source_.order().name(); }

 private:
  enum class State : uint8_t { kFree, kFilling, kReady, kLent };
  // One batch of the ring. Everything but the rows of `batch` is guarded by mutex_.
  struct Slot {
    Batch batch;
    State state = State::kFree;
    int64_t sequence = -1;  // batches since the last Seek
    int64_t epoch = 0, first_position = 0;
    int64_t next_row = 0, rows_done = 0;
    bool read_ahead = false;  // asked of the worker that takes the first rows
    std::exception_ptr failure;
    uint8_t* rows = nullptr;  // owned; what Batch points at
  };

  void Work();
  Slot* SlotWithWork();
  void Open(Slot& slot);
  void FillRows(Slot& slot, int64_t begin, int64_t end, RowSource::Workspace& work);
  void ReadAhead(const Slot& slot);
  void ReleaseUpTo(int64_t sequence);

  LoaderOptions options_;
  SampleSource source_;
  HostAllocator& memory_;
  int64_t rows_, first_row_;  // this rank's slice of a global batch
  size_t row_bytes_;
  std::vector<Slot> ring_;

  mutable std::mutex mutex_;
  std::condition_variable work_, ready_, idle_;
  bool stop_ = false, paused_ = true;
  int64_t busy_ = 0;  // workers inside FillRows
  WorkerPace pace_;
  double busy_s_ = 0;                          // of all workers, since the last batch was taken
  std::optional<Clock::time_point> returned_;  // when the last batch was
  int64_t start_epoch_ = 0, start_batch_ = 0;  // where sequence 0 lies
  int64_t opened_ = 0, taken_ = 0, end_ = 0;   // sequence numbers
  LoaderStats stats_;
  std::vector<std::thread> threads_;
};

RingLoader::RingLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options,
                       HostAllocator& memory)
    : options_(options),
      source_(std::move(dataset), options),
      memory_(memory),
      ring_(options.depth),
      pace_(options.threads > 0 ? options.threads : AvailableCpus()) {
  const int64_t batch = options_.global_batch;
  first_row_ = options_.rank * batch / options_.world_size;
  rows_ = (options_.rank + 1) * batch / options_.world_size - first_row_;
  row_bytes_ = source_.rows().row_bytes();
  for (Slot& slot : ring_) {
    Batch& b = slot.batch;
    b.size = rows_;
    slot.rows = static_cast<uint8_t*>(memory_.Allocate(row_bytes_ * rows_));
    source_.rows().Describe(b, slot.rows);
    if (options_.keys) b.keys.resize(rows_);
    b.places.resize(rows_);
    b.position.resize(rows_);
    b.record.resize(rows_);
    b.climate.resize(rows_);
    b.month.resize(rows_);
    b.aux_B6.resize(rows_ * kAuxColumnCount);
  }
  for (int i = pace_.workers(); i > 0; --i) threads_.emplace_back([this] { Work(); });
}

RingLoader::~RingLoader() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (Slot& slot : ring_) memory_.Free(slot.rows, row_bytes_ * rows_);
}

// Rows are handed out batch by batch: a later batch opens only when the one before has no row left to give.
RingLoader::Slot* RingLoader::SlotWithWork() {
  if (paused_ || busy_ >= pace_.workers()) return nullptr;
  if (opened_ > 0) {
    Slot& last = ring_[(opened_ - 1) % ring_.size()];
    if (last.state == State::kFilling && last.sequence == opened_ - 1 && last.next_row < rows_) return &last;
  }
  Slot& next = ring_[opened_ % ring_.size()];
  if (next.state != State::kFree || opened_ >= end_) return nullptr;
  Open(next);
  return &next;
}

void RingLoader::Open(Slot& slot) {
  const int64_t per_epoch = source_.batches_per_epoch();
  const int64_t batch = start_batch_ + opened_;
  slot.state = State::kFilling;
  slot.sequence = opened_++;
  slot.epoch = start_epoch_ + batch / per_epoch;
  slot.first_position = options_.first + batch % per_epoch * options_.global_batch + first_row_;
  slot.next_row = slot.rows_done = 0;
  slot.read_ahead = true;
  slot.failure = nullptr;
}

void RingLoader::Work() {
  const std::unique_ptr<RowSource::Workspace> work = source_.rows().NewWorkspace();
  std::unique_lock lock(mutex_);
  while (true) {
    Slot* slot = nullptr;
    work_.wait(lock, [&] { return stop_ || (slot = SlotWithWork()) != nullptr; });
    if (stop_) return;
    const int64_t begin = slot->next_row, end = std::min(rows_, begin + source_.rows().grain());
    slot->next_row = end;
    const bool read_ahead = std::exchange(slot->read_ahead, false);
    ++busy_;
    lock.unlock();
    const Clock::time_point start = Clock::now();
    std::exception_ptr failure;
    try {
      if (read_ahead) ReadAhead(*slot);
      FillRows(*slot, begin, end, *work);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    --busy_;
    busy_s_ += Between(start, Clock::now());
    if (failure) slot->failure = failure;
    stats_.read_s += std::exchange(work->read_s, 0.0);
    stats_.decode_s += std::exchange(work->decode_s, 0.0);
    stats_.by_device += std::exchange(work->by_device, 0);
    slot->rows_done += end - begin;
    if (slot->rows_done == rows_) {
      slot->state = State::kReady;
      ready_.notify_all();
    }
    if (busy_ == 0) idle_.notify_all();
  }
}

// For the whole global batch: the other ranks of this node would ask for the same neighbours.
void RingLoader::ReadAhead(const Slot& slot) {
  const auto ranges = source_.order().ReadAhead(slot.epoch, slot.first_position - first_row_,
                                                options_.global_batch, slot.sequence == 0);
  for (const RecordRange& range : ranges) source_.rows().ReadAhead(range.first, range.count);
}

void RingLoader::FillRows(Slot& slot, int64_t begin, int64_t end, RowSource::Workspace& work) {
  Batch& batch = slot.batch;
  for (int64_t row = begin; row < end; ++row) ClearRow(batch, row);
  const int64_t positions_end = options_.first + source_.epoch_samples() - slot.first_position;
  const int64_t filled = std::clamp(positions_end, begin, end);
  source_.Fill(slot.epoch, slot.first_position + begin, work, slot.rows + row_bytes_ * begin,
               {batch.record.data() + begin, static_cast<size_t>(filled - begin)});
  constexpr int64_t kAhead = 8;
  const auto prefetch = [&](int64_t row) {
    if (row < filled && batch.record[row] >= 0) source_.dataset().Prefetch(batch.record[row]);
  };
  for (int64_t row = begin; row < begin + kAhead; ++row) prefetch(row);
  for (int64_t row = begin; row < filled; ++row) {
    prefetch(row + kAhead);
    if (batch.record[row] >= 0) LabelRow(source_.dataset(), slot.first_position + row, batch, row);
  }
  std::memset(slot.rows + row_bytes_ * filled, 0, row_bytes_ * (end - filled));
}

void RingLoader::Seek(int64_t epoch, int64_t batch) {
  GRATICULE_CHECK(epoch >= 0 && batch >= 0, "loader position");
  std::unique_lock lock(mutex_);
  paused_ = true;
  idle_.wait(lock, [&] { return busy_ == 0; });
  for (Slot& slot : ring_) slot.state = State::kFree;
  start_epoch_ = epoch;
  start_batch_ = batch;
  opened_ = taken_ = 0;
  const bool runs_on = options_.drop_last && options_.plans == nullptr;
  end_ = runs_on ? kForever : std::max<int64_t>(0, source_.batches_per_epoch() - batch);
  paused_ = false;
  work_.notify_all();
}

const Batch* RingLoader::Next() {
  if (end_ == 0 && paused_) Seek(0, 0);
  const Clock::time_point begin = Clock::now();
  std::unique_lock lock(mutex_);
  ReleaseUpTo(taken_ - std::max<int64_t>(1, static_cast<int64_t>(ring_.size()) - 1));
  if (taken_ >= end_) return nullptr;
  Slot& slot = ring_[taken_ % ring_.size()];
  ready_.wait(lock, [&] { return slot.state == State::kReady && slot.sequence == taken_; });
  if (slot.failure) std::rethrow_exception(slot.failure);  // the batch stays: asking again fails again
  slot.state = State::kLent;
  ++taken_;
  const Clock::time_point now = Clock::now();
  slot.batch.wait_s = Between(begin, now);
  stats_.wait_s += slot.batch.wait_s;
  if (returned_) pace_.Taken(Between(*returned_, begin), slot.batch.wait_s, std::exchange(busy_s_, 0.0));
  returned_ = now;
  work_.notify_all();  // there may be more workers now
  ++stats_.batches;
  stats_.images +=
      std::count_if(slot.batch.record.begin(), slot.batch.record.end(), [](int64_t r) { return r >= 0; });
  return &slot.batch;
}

void RingLoader::ReleaseUpTo(int64_t sequence) {
  for (Slot& slot : ring_) {
    if (slot.state == State::kLent && slot.sequence <= sequence) slot.state = State::kFree;
  }
  work_.notify_all();
}

void RingLoader::Release(const Batch* batch) {
  std::lock_guard lock(mutex_);
  for (Slot& slot : ring_) {
    if (&slot.batch == batch && slot.state == State::kLent) slot.state = State::kFree;
  }
  work_.notify_all();
}

std::vector<BadRecord> RingLoader::quarantine() const {
  std::lock_guard lock(mutex_);
  return source_.quarantine();
}

LoaderStats RingLoader::stats() const {
  std::lock_guard lock(mutex_);
  LoaderStats stats = stats_;
  stats.bad_records = source_.bad_records();
  stats.io_retries = RepeatedReads();
  stats.workers = pace_.workers();
  stats.ready =
      std::count_if(ring_.begin(), ring_.end(), [](const Slot& slot) { return slot.state == State::kReady; });
  return stats;
}

}  // namespace

std::unique_ptr<Loader> Loader::Create(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options,
                                       HostAllocator& memory) {
  return std::make_unique<RingLoader>(std::move(dataset), options, memory);
}

}  // namespace graticule
