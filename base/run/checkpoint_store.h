// The step folders of a run: ckpt/step_%08d/ with the files of one checkpoint and MANIFEST.json, which names
// each file with its size and SHA-256 and is written last.
//
// Invariant: a folder without the suffix .tmp was published whole, and the previous checkpoint stays
// verifiable whichever call fails or is never reached. There is no "latest" pointer: the newest valid one is
// found by scanning. One writer per run (rank 0, guarded by the run lock); readers may scan at any time. Not
// thread-safe. Everything that fails throws Error(kCheckpoint), naming the file. docs/RUNS.md describes the
// folder.
//
//   CheckpointStore store(PosixFs(), JoinPath(run, "ckpt"));
//   store.Publish({.step = 1200, .world_size = 4, .config_hash = hash}, bytes, [&](CheckpointWriter& out) {
//     out.Write("model.safetensors", tensors);      // SafetensorsWriter
//     out.Write("state.json", json_text);
//   });
//   CheckpointScan scan = store.FindNewestValid();  // scan.newest->dir
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/safetensors.h"

namespace graticule {

struct CheckpointFile {
  uint64_t bytes = 0;
  std::string sha256;
};

// What MANIFEST.json holds.
struct CheckpointInfo {
  int64_t step = 0;
  int world_size = 1;
  std::string config_hash;
  std::map<std::string, std::string> extra;     // further facts of the writer: commit, data-manifest hash
  std::map<std::string, CheckpointFile> files;  // filled by the store, by file name
  std::string dir;                              // filled by the store: ".../ckpt/step_00001200"

  std::string PathOf(const std::string& file) const { return JoinPath(dir, file); }
};

struct RejectedCheckpoint {
  int64_t step = 0;
  std::string dir, reason;  // reason: "model.safetensors: SHA-256 differs (found ..., expected ...)"
};

struct CheckpointScan {
  std::optional<CheckpointInfo> newest;      // the newest that verifies
  std::vector<RejectedCheckpoint> rejected;  // newer ones that do not, newest first

  bool none() const { return !newest && rejected.empty(); }           // start at step 0
  bool only_damaged() const { return !newest && !rejected.empty(); }  // exit 4
  // Throws Error(kCheckpoint) with all reasons if there are only damaged ones.
  void ThrowIfOnlyDamaged() const;
};

// Collects the files of one step folder while it is being written. Names are plain file names.
class CheckpointWriter {
 public:
  void Write(const std::string& name, std::string_view bytes);
  void Write(const std::string& name, const SafetensorsWriter& tensors);
  const std::string& dir() const { return info_.dir; }  // the folder being written

 private:
  friend class CheckpointStore;
  CheckpointWriter(FileSystem& fs, CheckpointInfo& info) : fs_(fs), info_(info) {}
  FileSystem& fs_;
  CheckpointInfo& info_;  // dir is the temporary folder
};

class CheckpointStore {
 public:
  struct Options {
    int keep_last = 2;  // at least 2, besides the best one
  };
  // dir is <run>/ckpt; it is created by the first Publish.
  CheckpointStore(FileSystem& fs, std::string dir) : CheckpointStore(fs, std::move(dir), Options{}) {}
  CheckpointStore(FileSystem& fs, std::string dir, Options options);

  // Called right before a folder is renamed or deleted; throws to stop it (RunLock::Check).
  void SetGuard(std::function<void()> guard) { guard_ = std::move(guard); }

  // Throws unless 2.2 times the size of one checkpoint is free: the next one beside the last, with some air.
  void CheckFreeSpace(uint64_t checkpoint_bytes) const;

  // Writes, hashes, syncs and renames, then deletes what retention no longer keeps. Needs `expected_bytes` of
  // free space (0: not checked). An existing folder of the same step is replaced only if it does not verify;
  // if it does, nothing is written. A failure leaves at most a .tmp folder, which the next call removes.
  CheckpointInfo Publish(const CheckpointInfo& about, uint64_t expected_bytes,
                         const std::function<void(CheckpointWriter&)>& write);

  // Verifies every hash, newest step first, and falls back one by one. Changes nothing.
  CheckpointScan FindNewestValid() const;

  // Published steps, ascending, unverified.
  std::vector<int64_t> Steps() const;

  // Removes folders ending in .tmp that a dead writer left. Called by Publish; call at start as well.
  void RemoveLitter();

  // Notes the step's evaluation score (larger is better) beside its files, so that retention keeps the best
  // one. Survives restarts. A step that is gone by now is ignored. Scores of different metrics are not
  // compared: the best one is that of the metric noted last.
  void RecordScore(int64_t step, const std::string& metric, double score);
  std::optional<int64_t> BestStep() const;

  // Deletes steps that are neither among the newest keep_last valid ones nor the best. Called by Publish.
  void ApplyRetention();

  std::string DirOf(int64_t step) const;

 private:
  bool IsGood(int64_t step);

  FileSystem& fs_;
  std::string dir_;
  Options options_;
  std::function<void()> guard_;
  std::set<int64_t> known_good_;  // published or verified by this object: retention need not read them again
};

// Verifies one step folder (also one copied elsewhere) and returns its manifest. Throws Error(kCheckpoint).
CheckpointInfo VerifyCheckpoint(const std::string& step_dir);

// step of "step_00001200"; nullopt for other names, also for "step_00001200.tmp".
std::optional<int64_t> ParseStepFolder(std::string_view name);

}  // namespace graticule
