// ckpt/step_%08d/ of a run: published by manifest and rename, found again by scanning.
//
// A folder is written under the name "step_%08d.tmp", then gets a MANIFEST.json with size and SHA-256 of
// every file, then its final name. The newest valid one counts; a damaged one is passed over, saying why.
// `latest` is stored nowhere. Failure: Error(kCheckpoint).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"

namespace graticule {

struct CheckpointFolder {
  int64_t step = 0;
  std::string path;
};

// Empty folder to write into; leftovers of an earlier try are removed.
std::string BeginCheckpointFolder(FileSystem& fs, const std::string& ckpt_dir, int64_t step);
// Hashes what was written, gives it its name and returns that path.
std::string PublishCheckpointFolder(FileSystem& fs, const std::string& ckpt_dir, int64_t step);
// Keeps the newest `keep` and the one of `best_step`.
void RetainCheckpoints(FileSystem& fs, const std::string& ckpt_dir, int64_t keep, int64_t best_step);

// Published ones, newest first.
std::vector<CheckpointFolder> ListCheckpoints(FileSystem& fs, const std::string& ckpt_dir);
// Empty if every file is there with its size and hash, else what is wrong.
std::string VerifyCheckpoint(FileSystem& fs, const std::string& path);
// problems: one line per damaged folder that was passed over.
std::optional<CheckpointFolder> NewestValidCheckpoint(FileSystem& fs, const std::string& ckpt_dir,
                                                      std::vector<std::string>* problems);

}  // namespace graticule
