// Row-aligned columns beside a dataset's shards, in a safetensors file whose name follows from its bytes.
//
// The file that the manifest names is never touched: whoever adds a sidecar writes it, then the manifest,
// then removes the old one, and a full disk or a kill at any moment leaves a dataset that opens.
#pragma once

#include <memory>
#include <string>

#include "base/file_lock.h"
#include "base/safetensors.h"
#include "data/shard/hashed_file.h"

namespace graticule {

// One at a time adds sidecars: held from before the manifest is read until it is written. Throws
// Error(kUsage) while another process does.
std::unique_ptr<FileLock> LockSidecars(const std::string& folder);
// Writes folder/stem-<hash>.safetensors. Throws Error(kCheckpoint) where storage takes no more.
HashedFile WriteSidecarFile(FileSystem& fs, const std::string& folder, const std::string& stem,
                            const SafetensorsWriter& writer);
// Removes the folder's other files of this stem: what the manifest named before, and what a kill left. Under
// the lock, once the manifest names `kept`.
void RemoveOldSidecars(FileSystem& fs, const std::string& folder, const std::string& stem,
                       const HashedFile& kept);

}  // namespace graticule
