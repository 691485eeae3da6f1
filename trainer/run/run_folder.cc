#include "trainer/run/run_folder.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/run/as_checkpoint_error.h"
#include "base/run/run_files.h"
#include "base/run/run_lock.h"
#include "base/terminal.h"

namespace graticule {
namespace {

constexpr double kStatusEveryS = 5;

// A launcher may return before the last process of a killed attempt is gone: the owner gets a moment to
// leave.
std::unique_ptr<RunLock> TakeLock(const std::string& path, bool take) {
  AsCheckpointError([&] { PosixFs().MakeDirs(path); });
  constexpr double kPatienceS = 15;
  const double begin_s = SystemClock().MonotonicSeconds();
  for (;;) {
    try {
      return AsCheckpointError(
          [&] { return std::make_unique<RunLock>(PosixFs(), SystemClock(), path, CurrentOwner(), take); });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUsage || SystemClock().MonotonicSeconds() - begin_s > kPatienceS) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
}

}  // namespace

struct RunFolder::Live {
  Live(const std::string& path, const LogConfig& log, const CheckpointConfig& checkpoints, bool take_lock)
      : lock(TakeLock(path, take_lock)),
        files(PosixFs(), SystemClock(), path),
        store(PosixFs(), JoinPath(path, "ckpt"),
              {.keep_last = static_cast<int>(std::max<int64_t>(2, checkpoints.keep))}),
        log(log) {
    store.SetGuard([this] { lock->Check(); });
  }

  std::unique_ptr<RunLock> lock;
  RunFiles files;
  CheckpointStore store;
  LogConfig log;
  std::optional<graticule::Progress> progress;
  double begin_s = SystemClock().MonotonicSeconds(), status_s = 0;
  // A long step or validation must not look like a dead owner. Last member: it stops first.
  std::jthread heartbeat{[this](std::stop_token stop) { Beat(stop); }};

  void Beat(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any sleep;
    std::unique_lock<std::mutex> guard(mutex);
    while (!sleep.wait_for(guard, stop, std::chrono::seconds(5), [] { return false; }) &&
           !stop.stop_requested()) {
      try {
        lock->Beat();
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kPeer) return;  // lost: the next write says so
      }                                                // otherwise the disk failed: try again
    }
  }

  // Everything that is written into the folder goes through here: a process that lost its lock must not
  // touch what the new owner writes.
  RunFiles& Files() {
    lock->Check();
    return files;
  }
};

RunFolder::RunFolder(const std::string& path, const LogConfig& log, const CheckpointConfig& checkpoints,
                     bool take_lock)
    : path_(path), live_(std::make_unique<Live>(path, log, checkpoints, take_lock)) {}
RunFolder::~RunFolder() = default;

const std::string& RunFolder::attempt() const { return live_->files.status().attempt; }
std::string RunFolder::PathOf(const std::string& name) const { return JoinPath(path_, name); }
double RunFolder::seconds_since_start() const { return SystemClock().MonotonicSeconds() - live_->begin_s; }

bool RunFolder::StillOurs() const {
  try {
    live_->lock->Check();
    return true;
  } catch (const Error&) {
    return false;
  }
}

void RunFolder::BeginAttempt() {
  live_->lock->Check();
  live_->store.RemoveLitter();
  RemoveRankFailures(PosixFs(), path_);
  SetStatus("starting", 0, "");
}

void RunFolder::WriteResolved(const std::string& yaml) { live_->Files().WriteResolved(yaml); }
void RunFolder::DropMetricsAfter(int64_t step) { live_->Files().DropMetricsAfter(step); }
void RunFolder::AppendMetrics(const JsonRow& row) { live_->Files().AppendMetrics(row); }
void RunFolder::Event(const std::string& name, const JsonRow& details) {
  live_->Files().AppendEvent(name, details);
}

void RunFolder::SetStatus(const std::string& state, int exit_code, const std::string& reason, int64_t step) {
  live_->Files().SetStatus([&](RunStatusFile& s) {
    s.state = state;
    s.exit_code = exit_code;
    s.reason = reason;
    if (step >= 0) s.step = step;
  });
}

void RunFolder::SetStage(const std::string& stage) {
  live_->Files().SetStatus([&](RunStatusFile& s) { s.stage = stage; });
}

void RunFolder::BeginProgress(int64_t start, int64_t total) {
  live_->progress.emplace(
      StderrTerminal(), SystemClock(),
      graticule::Progress::Options{.total = total,
                                   .start = start,
                                   .plain_every_s = live_->log.progress_s,
                                   .quiet = live_->log.quiet || live_->log.format == "json"});
}

void RunFolder::Progress(int64_t step, const std::string& text) {
  live_->progress->Update(step, text);
  const double now_s = SystemClock().MonotonicSeconds();
  if (now_s - live_->status_s < kStatusEveryS) return;
  live_->status_s = now_s;
  live_->Files().SetStatus([&](RunStatusFile& s) { s.step = step; });
}

void RunFolder::EndProgress() {
  if (live_->progress) live_->progress->Finish();
  live_->progress.reset();
}

void RunFolder::Say(const std::string& line) { LogInfo("{}", line); }
void RunFolder::Warn(const std::string& line) { LogWarn("{}", line); }
void RunFolder::Fail(const std::string& line) { LogError("{}", line); }

void RunFolder::CheckFreeSpace(uint64_t checkpoint_bytes) const {
  live_->store.CheckFreeSpace(checkpoint_bytes);
}

void RunFolder::PublishCheckpoint(const CheckpointInfo& about, uint64_t bytes,
                                  const std::function<void(CheckpointWriter&)>& write) {
  const CheckpointInfo published = live_->store.Publish(about, bytes, write);
  live_->Files().SetStatus([&](RunStatusFile& s) {
    s.step = about.step;
    s.last_checkpoint = JoinPath("ckpt", BaseName(published.dir));
  });
}

void RunFolder::RecordScore(int64_t step, const std::string& metric, double better) {
  live_->store.RecordScore(step, metric, better);
}

}  // namespace graticule
