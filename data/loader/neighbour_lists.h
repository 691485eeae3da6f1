// Neighbour lists: for each record of a dataset up to K others that make it hard, the hardest first. By
// distance they come from geo/place_neighbours.h, by similarity from whoever has embeddings.
//
// File: a safetensors with `neighbour` u32 [N, K], row-aligned with the dataset; a shorter list
// ends in kNoNeighbour. Metadata: `version` ("1"), `data_sha256` (Dataset::Sha256), `method` (how they were
// found, in words), `sha256` (of the tensor's bytes). Written at once or not at all. A file that is damaged,
// of other data or with entries that are no records is Error(kData). In memory and immutable once opened,
// thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/fs.h"
#include "base/safetensors.h"
#include "geo/place_neighbours.h"

namespace graticule {

// Lists in somebody else's memory.
struct NeighbourTable {
  std::span<const uint32_t> records_NK;
  int64_t per_record = 0;  // K

  int64_t size() const { return std::ssize(records_NK) / per_record; }  // N
  // Without what is missing at the end.
  std::span<const uint32_t> Of(int64_t record) const;
};

struct NeighbourSource {
  std::string data_sha256;
  std::string method;  // "distance, 0.05 km and more"
};

class NeighbourLists {
 public:
  static std::shared_ptr<const NeighbourLists> Open(const std::string& path, const std::string& data_sha256,
                                                    int64_t records);
  const NeighbourTable& table() const { return table_; }
  const std::string& method() const { return method_; }
  const std::string& Sha256() const { return sha256_; }  // of the tensor's bytes

 private:
  std::shared_ptr<const SafetensorsFile> file_;
  NeighbourTable table_;
  std::string method_, sha256_;
};

// Returns the SHA-256 of the tensor's bytes. Entries that are no records: Error(kData).
std::string WriteNeighbourLists(FileSystem& fs, const std::string& path, const NeighbourTable& table,
                                const NeighbourSource& source);

}  // namespace graticule
