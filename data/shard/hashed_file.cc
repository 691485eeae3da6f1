#include "data/shard/hashed_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/fs.h"
#include "base/hash.h"
#include "base/json_object.h"

namespace graticule {

nlohmann::json ToJson(const HashedFile& file) {
  return {{"file", file.file}, {"size", file.size}, {"sha256", file.sha256}};
}

void Parse(const JsonObject& object, HashedFile& file) {
  file.file = object.PlainFileName("file");
  file.size = object.Unsigned("size");
  file.sha256 = object.Sha256("sha256");
}

void CheckSize(const std::string& folder, const HashedFile& file) {
  const std::string path = JoinPath(folder, file.file);
  if (!PosixFs().Exists(path)) {
    throw Error(ErrorCode::kData, "the file is missing, a part of the dataset", path,
                "Fetch or import it again.");
  }
  const uint64_t found = PosixFs().FileSize(path);
  if (found != file.size) {
    throw Error(ErrorCode::kData, fmt::format("found {} bytes, the manifest says {}", found, file.size), path,
                found < file.size ? "The copy is incomplete; fetch it again."
                                  : "Another file has this name; fetch it again.");
  }
}

void CheckHash(const std::string& folder, const HashedFile& file) {
  CheckSize(folder, file);
  const std::string path = JoinPath(folder, file.file);
  const std::string found = Sha256HexOfFile(path);
  if (found != file.sha256) {
    throw Error(ErrorCode::kData, fmt::format("SHA-256 is {}, the manifest says {}", found, file.sha256),
                path, "The bytes changed since the import; fetch the file again.");
  }
}

}  // namespace graticule
