#include "data/shard/sidecar_file.h"

#include <fmt/format.h>

#include <regex>

#include "base/atomic_file.h"
#include "base/fs.h"
#include "data/shard/manifest.h"

namespace graticule {
namespace {

constexpr char kUnnamed[] = ".safetensors.new";  // until its hash is known

}  // namespace

std::unique_ptr<FileLock> LockSidecars(const std::string& folder) {
  return std::make_unique<FileLock>(JoinPath(folder, ".sidecar.lock"),
                                    "wait until the other `graticule data enrich` or `data split` has ended");
}

HashedFile WriteSidecarFile(FileSystem& fs, const std::string& folder, const std::string& stem,
                            const SafetensorsWriter& writer) {
  HashedFile file;
  const std::string unnamed = JoinPath(folder, stem + kUnnamed);
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
    if (std::regex_match(name, ours) && name != kept.file) fs.Remove(JoinPath(folder, name));
  }
  const std::string unnamed = stem + kUnnamed;
  fs.Remove(JoinPath(folder, unnamed));
  RemoveUnfinished(fs, folder,
                   [&](const std::string& name) { return name == unnamed || name == kManifestName; });
}

}  // namespace graticule
