#include "launch/verbs/dataset_folders.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "data/shard/manifest.h"

namespace graticule {

std::vector<std::string> DistinctFolders(const Options& options, const std::string& name) {
  const std::vector<std::string> folders = options.Words(name);
  if (folders.empty()) {
    throw Error(ErrorCode::kUsage, "no dataset folder is named", "",
                "Name one or more that `graticule data import` wrote.");
  }
  for (size_t i = 0; i < folders.size(); ++i) {
    if (!PosixFs().Exists(folders[i])) RequireManifest(folders[i]);
    for (size_t earlier = 0; earlier < i; ++earlier) {
      std::error_code unknown;
      if (!std::filesystem::equivalent(folders[i], folders[earlier], unknown)) continue;
      throw Error(ErrorCode::kUsage, "one dataset is named twice", folders[i],
                  fmt::format("It is {} too; name it once.", folders[earlier]));
    }
  }
  return folders;
}

std::vector<std::string> DatasetFolders(const Options& options, const std::string& name) {
  const std::vector<std::string> folders = DistinctFolders(options, name);
  for (const std::string& folder : folders) RequireManifest(folder);
  return folders;
}

}  // namespace graticule
