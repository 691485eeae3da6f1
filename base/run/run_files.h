// The small files of a run folder, written by rank 0 while it holds the run lock:
//   status.json    how the run stands or ended (replaced by rename)
//   metrics.jsonl  one object per log step; rows past the restored step are dropped on resume
//   events.jsonl   one object per event: start, stage, checkpoint, signal, end
//   resolved.yaml  the configuration
//   failure/       rank_<k>.json: why rank k failed, written by that rank
//
// Owns its two append streams. Not thread-safe. A write that fails throws Error(kCheckpoint); rows are
// flushed to the system at once and synced with each status, so a killed process loses no row that was
// written.
//
//   RunFiles run(PosixFs(), SystemClock(), "runs/demo");
//   run.SetStatus([&](RunStatusFile& s) { s.state = "running"; s.step = 10; });
//   run.AppendMetrics({{"step", int64_t{10}}, {"loss", 3.2}});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json_row.h"

namespace graticule {

// The fields of status.json. started_utc, updated_utc, host and pid are filled in by RunFiles.
struct RunStatusFile {
  std::string state = "starting";  // starting, running, finished, preempted, failed
  int exit_code = 0;
  std::string reason;
  std::string stage;  // "load", "step", "evaluate", "checkpoint"
  int64_t step = 0;
  std::string attempt;          // CurrentAttemptId()
  std::string last_checkpoint;  // relative to the run folder: "ckpt/step_00001200"
  std::string host;
  int64_t pid = 0;
  std::string started_utc, updated_utc;
};

class RunFiles {
 public:
  // Creates the folder if needed (mode 0750). Keeps the started_utc of an earlier attempt out of the new
  // status.
  RunFiles(FileSystem& fs, Clock& clock, std::string dir);
  ~RunFiles();

  const std::string& dir() const { return dir_; }
  std::string PathOf(std::string_view name) const { return JoinPath(dir_, name); }

  const RunStatusFile& status() const { return status_; }
  void SetStatus(const std::function<void(RunStatusFile&)>& change);

  // A row needs an integer "step"; it should carry the attempt and wall time as well.
  void AppendMetrics(const JsonRow& row);
  // Adds "time_utc", "attempt" and "event" in front.
  void AppendEvent(const std::string& event, const JsonRow& details = {});
  // Rewrites metrics.jsonl without rows of steps above `step` and without a torn last line. Call before
  // appending.
  void DropMetricsAfter(int64_t step);

  void WriteResolved(std::string_view yaml);

 private:
  struct Stream;
  void Append(Stream& stream, const JsonRow& row);

  FileSystem& fs_;
  Clock& clock_;
  std::string dir_;
  RunStatusFile status_;
  std::unique_ptr<Stream> metrics_, events_;
};

// Parses status.json. Throws Error(kCheckpoint) where it is malformed or missing.
RunStatusFile ReadStatusFile(const std::string& path);

// What a rank leaves in failure/rank_<k>.json before it takes the others down: status.json is rank 0's, and
// rank 0 may be killed before it learns why.
struct RankFailure {
  int rank = 0;
  std::string host;
  int exit_code = 0;
  std::string reason;
};
// Best effort: the failure itself matters more than one to write it down.
void WriteRankFailure(FileSystem& fs, Clock& clock, const std::string& run_dir,
                      const RankFailure& failure) noexcept;
// By rank; files that cannot be read are passed over.
std::vector<RankFailure> ReadRankFailures(const std::string& run_dir);
// Of an earlier attempt.
void RemoveRankFailures(FileSystem& fs, const std::string& run_dir);

// GRATICULE_ATTEMPT where a job script sets it, else "<job>_<array task>_<restart count>" under SLURM (0 for
// what is unset), else a random id, the same all process long.
std::string CurrentAttemptId();

}  // namespace graticule
