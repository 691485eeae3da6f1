#include "launch/verbs/data_legend.h"

#include <fmt/format.h>

#include <map>

#include "data/enrich/record_labels.h"
#include "data/legend.h"
#include "data/shard/shard_reader.h"

namespace graticule {

using nlohmann::json;

namespace {

// Enriched columns are counted as training sees them: the source's values with the layer's where it has none,
// or instead of them.
void CountEnriched(const std::string& folder, const Manifest& manifest,
                   std::map<Col, std::map<int64_t, int64_t>>& counts) {
  if (!manifest.enrich_sidecar) return;
  const EnrichSidecar sidecar = EnrichSidecar::Open(folder, manifest);
  const RecordIndex index = RecordIndex::Open(folder, manifest);
  const RecordLabels labels = RecordLabels::Open(folder, manifest, index);
  const auto count = [&](Col col, const char* name, const auto& value_at, int64_t missing) {
    if (!sidecar.columns.contains(name)) return;
    counts.erase(col);
    for (int64_t row = 0; row < index.size; ++row) {
      const int64_t value = value_at(row);
      if (value != missing) ++counts[col][value];
    }
  };
  count(
      Col::kClimate, "climate", [&](int64_t row) { return labels.climate(row); }, kMissingU8);
  count(
      Col::kDriveLeft, "drive_left", [&](int64_t row) { return labels.drive_left(row); }, kMissingU8);
  count(
      Col::kCountryIso, "country_iso", [&](int64_t row) { return labels.country_iso(row); }, 0);
}

}  // namespace

json LegendOf(const std::string& folder, const Manifest& manifest) {
  std::map<Col, std::map<int64_t, int64_t>> counts;
  for (const ShardEntry& shard : manifest.shards) {
    const ShardReader reader(JoinPath(folder, shard.file), &shard);
    for (const ColumnSpec& spec : Columns()) {
      if (!IsCoded(spec.col) || !reader.Has(spec.path)) continue;
      const std::vector<uint8_t> bytes = reader.ColumnBytes(spec.path);
      RecordRow row;
      for (size_t at = 0; at + SizeOf(spec.type) <= bytes.size(); at += SizeOf(spec.type)) {
        row.Load(spec.col, bytes.data() + at);
        if (!row.IsMissing(spec.col)) ++counts[spec.col][row.Int(spec.col)];
      }
    }
  }
  CountEnriched(folder, manifest, counts);
  json legend = json::object();
  for (const auto& [col, codes] : counts) {
    json& list = legend[SpecOf(col).path] = json::array();
    for (const auto& [code, records] : codes)
      list.push_back({{"code", code}, {"name", NameOfCode(col, code)}, {"records", records}});
  }
  return legend;
}

void PrintLegend(const json& legend) {
  if (legend.empty()) fmt::print("no column of this dataset holds codes\n");
  for (const auto& [path, codes] : legend.items()) {
    fmt::print("{}\n", path);
    for (const json& entry : codes) {
      const auto name = entry["name"].get<std::string>();
      fmt::print("  {:>5}  {:<44} {:>10}\n", entry["code"].get<int64_t>(), name.empty() ? "?" : name,
                 entry["records"].get<int64_t>());
    }
  }
}

}  // namespace graticule
