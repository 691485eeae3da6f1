// enrich-<hash>.safetensors: columns that `data enrich` took from geographic layers, beside the shards and
// row-aligned with them, named in the manifest with its hash.
//
// One tensor [N] per column: climate u8, landcover u8, drive_left u8, country_iso u16, the six kAuxColumns
// f32 and coast_km f32; missing values as in the shards. Metadata `columns` (JSON) says of each where its
// values come from. The name carries the hash, so that a new sidecar never overwrites the one that the
// manifest still names. Views live as long as the object; immutable; any thread may read. Error(kData) on
// mismatch.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/fs.h"
#include "base/safetensors.h"
#include "data/record.h"
#include "data/shard/manifest.h"

namespace graticule {

inline constexpr char kCoastColumn[] = "coast_km";

struct EnrichSource {
  std::string file, sha256;  // name without its folder
};

struct EnrichColumnInfo {
  std::vector<EnrichSource> sources;  // none: drive_left follows from the country code
  std::string method;                 // "nearest", "bilinear", "point in polygon", ...
  std::string legend;                 // of land cover: which product's codes
  double reach_km = 0;                // how far a value may come from where the layer has none; 0: not at all
  bool replace = false;               // wins over the source's own value
  int64_t direct = 0, fallback = 0;   // records with a value at the place itself, and from within reach_km
  double fallback_mean_km = 0, fallback_max_km = 0;
};

using EnrichValues = std::variant<std::vector<uint8_t>, std::vector<uint16_t>, std::vector<float>>;
struct EnrichColumn {
  EnrichColumnInfo info;
  EnrichValues values;  // [N], of the column's type
};

struct EnrichSidecar {
  std::map<std::string, EnrichColumnInfo> columns;
  // Empty where the column is not there.
  std::span<const uint8_t> climate, landcover, drive_left;
  std::span<const uint16_t> country_iso;
  std::span<const float> aux[kAuxColumnCount], coast_km;

  // Checks the hash, the columns' types and lengths against the manifest, which must name a sidecar.
  static EnrichSidecar Open(const std::string& folder, const Manifest& manifest);

 private:
  std::shared_ptr<const SafetensorsFile> file_;  // holds the values
};

// Adds the columns to those that are there already (one of the same name is replaced), then names the new
// file in the manifest and removes the old one. A crash at any moment leaves a dataset that opens. Returns
// the manifest as written.
Manifest WriteEnrichment(FileSystem& fs, const std::string& folder, Manifest manifest,
                         const std::map<std::string, EnrichColumn>& added);

}  // namespace graticule
