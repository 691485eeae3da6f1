// Shards, and parts of embedding stores, on the disk of the node: copied there once, before training reads
// them at random.
//
// A copy bears the SHA-256 of its file as its name, and it bears it only after the bytes on their way were
// hashed, synced and found equal to the manifest. A process killed in the middle leaves whole copies and one
// `.part`, which the next one throws away. One process at a time copies (a lock in the folder); the others
// wait and find the work done. Where copies would exceed the limit or the disk, those used longest ago go
// first; a copy of the files asked for never does.
//
// A copy may vanish or be damaged at any time: readers then take the source (data/dataset.cc,
// data/embedding/). Other files in the folder are left alone. Throws Error(kUsage) when the files alone
// exceed the limit or the folder is a file, Error(kCheckpoint) when the disk has no room or cannot be
// written, Error(kData) for a source that is missing or cut short. A source whose bytes differ from its
// manifest is told, not copied, and read where it is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "data/shard/manifest.h"

namespace graticule {

struct StageOptions {
  std::string folder;        // on the node's own disk; made where missing
  uint64_t limit_bytes = 0;  // of all copies there; 0: what the disk holds
  // Bytes there and wanted, while this process copies or waits for the one that does. On the calling thread.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

struct StageResult {
  int64_t files = 0;    // that were asked for, each content once
  int64_t copied = 0;   // by this call
  int64_t removed = 0;  // copies of other files
};

struct StagedFile {
  std::string folder;
  HashedFile file;
  std::optional<ShardEntry> shard;  // what it is, where it is one: its head is checked too
};

// The shards of these dataset folders.
std::vector<StagedFile> ShardFiles(const std::vector<std::string>& datasets);

// Copies what is missing of these files. Several processes may call this at once.
StageResult StageFiles(FileSystem& fs, const std::vector<StagedFile>& files, const StageOptions& options);

// The entry under which the copy of a shard is opened, in the stage's folder.
ShardEntry StagedEntry(const ShardEntry& shard);

}  // namespace graticule
