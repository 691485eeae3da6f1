#include "data/variogram/land_cover.h"

#include "data/enrich/enrich_sidecar.h"
#include "data/shard/shard_reader.h"

namespace graticule {
namespace {

constexpr char kColumn[] = "/aux/landcover";

}  // namespace

LandCover::LandCover(const Dataset& dataset) : dataset_(dataset) {
  for (const DatasetFolder& folder : dataset.folders()) {
    const Manifest manifest = ReadManifest(folder.path);
    EnrichSidecar layer;
    if (manifest.enrich_sidecar) layer = EnrichSidecar::Open(folder.path, manifest);
    const auto info = layer.columns.find("landcover");
    const bool replace = info != layer.columns.end() && info->second.replace;
    auto& shards = classes_.emplace_back();
    for (const ShardEntry& entry : manifest.shards) {
      const ShardReader reader(JoinPath(folder.path, entry.file), &entry);
      std::vector<uint8_t>& rows = shards.emplace_back(static_cast<size_t>(entry.n), kMissingU8);
      if (reader.Has(kColumn)) rows = reader.Column<uint8_t>(kColumn);
      for (size_t i = 0; i < rows.size() && !layer.landcover.empty(); ++i) {
        const uint8_t found = layer.landcover[static_cast<size_t>(entry.first) + i];
        if (found != kMissingU8 && (replace || rows[i] == kMissingU8)) rows[i] = found;
      }
    }
  }
}

std::optional<int32_t> LandCover::Of(int64_t record) const {
  const RecordAddress at = dataset_.Address(record);
  const uint8_t found =
      classes_[static_cast<size_t>(at.folder)][static_cast<size_t>(at.shard)][static_cast<size_t>(at.row)];
  return found == kMissingU8 ? std::nullopt : std::optional<int32_t>(found);
}

}  // namespace graticule
