// A file that a manifest names, with its size and SHA-256, and its form in JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace graticule {

class JsonObject;

struct HashedFile {
  std::string file;  // name inside the folder
  uint64_t size = 0;
  std::string sha256;
};

nlohmann::json ToJson(const HashedFile& file);
// Reads the members file, size and sha256. Throws Error(kData).
void Parse(const JsonObject& object, HashedFile& file);

// The file must have the size the manifest states; Error(kData) with found and expected bytes otherwise.
void CheckSize(const std::string& folder, const HashedFile& file);
// Size, then SHA-256 of the whole file.
void CheckHash(const std::string& folder, const HashedFile& file);

}  // namespace graticule
