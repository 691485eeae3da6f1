// manifest.json: what a dataset folder holds, with the hash of every file (docs/FORMATS.md).
//
// The manifest is written last, atomically; a folder without one is not a dataset. Plain data. Reading
// requires one, checks the schema and throws Error(kData) naming the key; it opens no other file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "data/shard/hashed_file.h"

namespace graticule {

inline constexpr char kManifestName[] = "manifest.json";
inline constexpr char kJournalName[] = "import.journal.json";  // while there is no manifest yet
inline constexpr char kRecordSchema[] = "geoloc-record";
inline constexpr uint32_t kSchemaMajor = 1, kSchemaMinor = 1;
inline constexpr uint32_t kEnrichedMinor = 2;  // of a manifest that names an enrichment

struct BoundingBox {  // degrees, of the records with a place
  double min_lat = 90, max_lat = -90, min_lon = 180, max_lon = -180;
  bool empty() const { return min_lat > max_lat; }
  void Include(double lat_deg, double lon_deg);
  void Include(const BoundingBox& other);
  bool operator==(const BoundingBox&) const = default;
};

struct ShardEntry : HashedFile {
  std::string head_sha256;   // of everything outside /img/data
  int64_t n = 0;             // records
  int64_t first = 0;         // index of the first one in the dataset
  uint64_t img_abs_off = 0;  // absolute file offset of /img/data
  uint64_t img_bytes = 0;    // its length
  BoundingBox box;
};

struct ColumnStats {
  int64_t count = 0;  // records with a value
  double mean = 0, std = 0, min = 0, max = 0;
};

struct DictionaryEntry {
  int64_t entries = 0;  // with the empty one
  std::string sha256;   // of data then off
};

struct SplitEntry : HashedFile {
  std::string name;                       // "split"
  std::map<std::string, int64_t> counts;  // label -> records
};

// Columns from geographic layers (data/enrich/enrich_sidecar.h).
struct EnrichEntry : HashedFile {
  std::map<std::string, int64_t> counts;  // column -> records with a value
};

struct Manifest {
  std::string dataset, split, source_uri, licence_note;
  int64_t n_records = 0;
  double consecutive_within_25km = 0;  // share of neighbours in record order
  std::vector<ShardEntry> shards;
  HashedFile index;
  std::optional<SplitEntry> split_sidecar;
  std::optional<EnrichEntry> enrich_sidecar;
  std::map<std::string, ColumnStats> stats;  // by column path
  std::map<std::string, DictionaryEntry> dictionaries;
  std::string sha256;  // of the manifest's bytes; filled by Read
};

// Error(kUsage) where nothing lies at `folder`, which is a slip of the command line; Error(kData) where
// something else than a dataset does.
void RequireManifest(const std::string& folder);
Manifest ReadManifest(const std::string& folder);
// From text, for tests and fuzzing; `where` names it in errors.
Manifest ParseManifest(std::string_view text, const std::string& where);
void WriteManifest(FileSystem& fs, const std::string& folder, const Manifest& manifest);

// Over the hashes of the shards in their order: the records themselves, whatever lies beside them.
std::string RecordsSha256(const Manifest& manifest);

}  // namespace graticule
