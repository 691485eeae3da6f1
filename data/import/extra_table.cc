#include "data/import/extra_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "data/import/layout.h"

namespace graticule {
namespace {

size_t IdColumn(const CsvReader& csv) {
  std::vector<std::string> names = ImageNameColumns();
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) { return name == "id"; });
  return csv.Require(names);
}

std::string KnownNames() {
  std::vector<std::string_view> names;
  for (const ColumnSpec& spec : Columns()) {
    if (FindEnrichment(LeafName(spec.path)) == &spec) names.push_back(LeafName(spec.path));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

JoinTable OpenTable(const std::string& path, JoinTable::KeyOf key) {
  std::unique_ptr<CsvReader> csv = CsvReader::Open(path);
  const size_t id = IdColumn(*csv);
  return JoinTable(std::move(csv), id, std::move(key));
}

}  // namespace

ExtraTable::ExtraTable(const std::string& path, JoinTable::KeyOf key, ImportReport& report)
    : rows_(OpenTable(path, std::move(key))) {
  const std::vector<std::string>& header = rows_.csv().header();
  const size_t id = IdColumn(rows_.csv());
  for (size_t c = 0; c < header.size(); ++c) {
    if (c == id) continue;
    const ColumnSpec* spec = FindEnrichment(header[c]);
    if (spec == nullptr) {
      throw Error(ErrorCode::kData, fmt::format("no column of the record schema is called \"{}\"", header[c]),
                  path + ":1", "An extra table may have: " + KnownNames() + ".");
    }
    columns_.push_back({c, spec});
  }
  rows_.Build(report, [](const CsvRow&) { return true; });
}

void ExtraTable::Fill(std::string_view id, ImportReport& report, RecordRow& row) {
  const std::optional<JoinTable::Match> match = rows_.Find(id);
  if (!match) return;
  for (const Column& column : columns_) SetFromText(*column.to, match->fields[column.from], id, report, row);
}

}  // namespace graticule
