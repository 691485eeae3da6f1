#include "data/shard/sidecar_file.h"

#include <fmt/format.h>

#include <regex>

#include "base/fs.h"

namespace graticule {

std::unique_ptr<FileLock> LockSidecars(const std::string& folder) {
  return std::make_unique<FileLock>(JoinPath(folder, ".sidecar.lock"),
                                    "wait until the other `graticule data enrich` or `data split` has ended");
}

HashedFile WriteSidecarFile(FileSystem& fs, const std::string& folder, const std::string& stem,
                            const SafetensorsWriter& writer) {
  HashedFile file;
  const std::string unnamed = JoinPath(folder, stem + ".safetensors.new");
  file.sha256 = writer.Write(fs, unnamed);
  file.size = fs.FileSize(unnamed);
  file.file = fmt::format("{}-{}.safetensors", stem, file.sha256.substr(0, 12));
  fs.Rename(unnamed, JoinPath(folder, file.file));
  fs.SyncDir(folder);
  return file;
}

void RemoveOldSidecars(FileSystem& fs, const std::string& folder, const std::string& stem,
                       const HashedFile& kept) {
  const std::regex ours(stem + "-[0-9a-f]{12}\\.safetensors");
  for (const std::string& name : fs.List(folder)) {
    const bool named = std::regex_match(name, ours);
    const bool unnamed = name.starts_with(stem + ".safetensors.new");
    if ((named || unnamed) && name != kept.file) fs.Remove(JoinPath(folder, name));
  }
}

}  // namespace graticule
