// The CSV of the ISN geolocalization partitions: two lines of remarks, a header, one S2 cell per line, CRLF.
#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/fs.h"
#include "geo/cell_columns.h"
#include "geo/s2_tokens.h"

namespace graticule {
namespace {

constexpr std::string_view kHeader = "class_label,hex_id,imgs_per_cell,latitude_mean,longitude_mean";

std::vector<std::string_view> SplitLine(std::string_view line) {
  std::vector<std::string_view> fields;
  for (size_t begin = 0;;) {
    const size_t comma = line.find(',', begin);
    fields.push_back(line.substr(begin, comma - begin));
    if (comma == std::string_view::npos) return fields;
    begin = comma + 1;
  }
}

template <typename T>
T Parse(std::string_view text, std::string_view column, const std::string& where) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::kData, fmt::format("\"{}\" in column {}; expected a number", text, column), where);
  }
  return value;
}

void AddRow(CellColumns& c, const std::vector<std::string_view>& fields, const std::string& where) {
  if (fields.size() != 5) {
    throw Error(ErrorCode::kData, fmt::format("{} fields; expected 5 ({})", fields.size(), kHeader), where);
  }
  if (const auto label = Parse<int64_t>(fields[0], "class_label", where); label != std::ssize(c.centres)) {
    throw Error(ErrorCode::kData,
                fmt::format("class_label {}; expected {} (0-based, in file order)", label, c.centres.size()),
                where);
  }
  const LatLon centre{Parse<double>(fields[3], "latitude_mean", where),
                      Parse<double>(fields[4], "longitude_mean", where)};
  if (!IsValid(centre)) {
    throw Error(ErrorCode::kData,
                fmt::format("mean place ({}, {}); expected degrees", centre.lat_deg, centre.lon_deg), where);
  }
  try {
    c.s2_ids.push_back(S2FromToken(fields[1]));
  } catch (const Error& error) {
    throw Error(ErrorCode::kData, error.message(), where);
  }
  c.counts.push_back(Parse<int64_t>(fields[2], "imgs_per_cell", where));
  c.centres.push_back(Normalised(centre));
  c.parents.push_back(-1);
}

}  // namespace

std::shared_ptr<const CellTable> ImportIsnCsv(const std::string& path, const CellTable* coarser) {
  return ParseIsnCsv(ReadFileToString(path), path, coarser);
}

std::shared_ptr<const CellTable> ParseIsnCsv(std::string_view text, const std::string& path,
                                             const CellTable* coarser) {
  CellColumns c;
  c.kind = "s2";
  c.options = R"({"imported": "isn_csv"})";
  c.where = path;
  bool seen_header = false;
  int64_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (seen_header && !line.empty()) AddRow(c, SplitLine(line), fmt::format("{}:{}", path, line_number));
    seen_header = seen_header || line == kHeader;
  }
  if (!seen_header || c.centres.empty()) {
    throw Error(ErrorCode::kData, seen_header ? "no cells below the header" : "no header line", path,
                fmt::format("Expected the line \"{}\" and one cell per line below it.", kHeader));
  }
  if (coarser != nullptr) LinkParents(c, *coarser);
  return MakeS2Table(std::move(c));
}

void ExportIsnCsv(const CellTable& table, const std::string& path) {
  if (table.kind() != "s2") {
    throw Error(ErrorCode::kUsage,
                fmt::format("cells of kind {}; this CSV holds S2 cells only", table.kind()), path);
  }
  int64_t images = 0;
  for (int64_t count : table.counts()) images += count;
  std::string text = fmt::format("num_images: {}\r\nmin_concept_probability: ---\r\n{}\r\n", images, kHeader);
  for (int64_t row = 0; row < table.size(); ++row) {
    const LatLon centre = table.centres()[row];
    text += fmt::format("{},{},{},{},{}\r\n", row, S2Token(table.s2_ids()[row]), table.counts()[row],
                        centre.lat_deg, centre.lon_deg);
  }
  WriteFileAtomically(PosixFs(), path, text);
}

}  // namespace graticule
