// The run folder of one attempt, as rank 0 holds it: the lock, metrics.jsonl, events.jsonl, status.json,
// ckpt/, and what is said on the terminal.
//
// Making one takes the lock (base/run/run_lock.h) and changes nothing else; BeginAttempt makes the folder
// that of this process. The lock is checked before anything is written, and a thread of its own renews its
// heartbeat. One thread uses it. Failure: Error(kUsage) when another process owns the folder, Error(kPeer)
// when the lock was lost, Error(kCheckpoint) when something cannot be written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/json_row.h"
#include "base/run/checkpoint_store.h"
#include "trainer/checkpoint/checkpoint_config.h"
#include "trainer/step/log_config.h"

namespace graticule {

class RunFolder {
 public:
  RunFolder(const std::string& path, const LogConfig& log, const CheckpointConfig& checkpoints,
            bool take_lock);
  ~RunFolder();

  const std::string& path() const { return path_; }
  const std::string& attempt() const;
  std::string PathOf(const std::string& name) const;
  double seconds_since_start() const;
  bool StillOurs() const;  // no other process has taken the lock

  // Status "starting"; what earlier attempts left half-written, and their failures, go.
  void BeginAttempt();

  void WriteResolved(const std::string& yaml);
  void DropMetricsAfter(int64_t step);
  void AppendMetrics(const JsonRow& row);
  void Event(const std::string& name, const JsonRow& details = {});
  // step: -1 leaves it as it is.
  void SetStatus(const std::string& state, int exit_code, const std::string& reason, int64_t step = -1);
  void SetStage(const std::string& stage);
  // total and start: of the whole run, and of this attempt. Call before the first Progress.
  void BeginProgress(int64_t start, int64_t total);
  void Progress(int64_t step, const std::string& text);
  void EndProgress();
  void Say(const std::string& line);
  void Warn(const std::string& line);
  void Fail(const std::string& line);

  // Throws Error(kCheckpoint) where checkpoints of so many bytes would soon fill the disk.
  void CheckFreeSpace(uint64_t checkpoint_bytes) const;
  // bytes: about how large it will be.
  void PublishCheckpoint(const CheckpointInfo& about, uint64_t bytes,
                         const std::function<void(CheckpointWriter&)>& write);
  // better: larger is better. Retention keeps the best step.
  void RecordScore(int64_t step, const std::string& metric, double better);

 private:
  struct Live;
  const std::string path_;
  std::unique_ptr<Live> live_;
};

}  // namespace graticule
