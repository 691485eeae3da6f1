#include "launch/verbs/data_legend.h"

#include <fmt/format.h>

#include <map>

#include "data/legend.h"
#include "data/shard/shard_reader.h"

namespace graticule {

using nlohmann::json;

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
