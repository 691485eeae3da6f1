#include "data/import/xlsx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <map>
#include <optional>

#include "base/text.h"
#include "data/import/archive.h"
#include "data/import/xml_reader.h"

namespace graticule {
namespace {

constexpr uint64_t kMaxRows = 1'048'576, kMaxColumns = 16'384;  // of a sheet, by the standard
constexpr size_t kMaxSheets = 10'000;                           // far beyond what anybody saves
constexpr char kHint[] = "Save the workbook again as .xlsx, or export the sheet as CSV.";

using Parts = std::map<std::string, std::string>;  // path in the zip -> XML

// The parts that hold cells or lead to them.
Parts ReadParts(std::unique_ptr<ReadableFile> file, const std::string& name, uint64_t limit) {
  std::vector<std::unique_ptr<ReadableFile>> slices;
  slices.push_back(std::move(file));
  ArchiveReader archive(std::move(slices), name, ArchiveFormat::kZip);
  Parts parts;
  uint64_t total = 0;
  ArchiveMember member;
  std::vector<uint8_t> bytes;
  std::string why;
  while (archive.Next(member)) {
    const bool wanted = member.name == "xl/workbook.xml" || member.name == "xl/_rels/workbook.xml.rels" ||
                        member.name == "xl/sharedStrings.xml" ||
                        (member.name.starts_with("xl/worksheets/") && member.name.ends_with(".xml"));
    if (!wanted) continue;
    const std::string where = fmt::format("{}:{}", name, member.name);
    const bool fits = member.size <= limit - total;
    if (fits && !archive.Read(bytes, why)) throw Error(ErrorCode::kData, "damaged: " + why, where, kHint);
    if (!fits || bytes.size() > limit - total) {
      throw Error(ErrorCode::kData,
                  fmt::format("unpacks to more than {} bytes with the parts before it", limit), where, kHint);
    }
    total += bytes.size();
    if (!parts.emplace(member.name, std::string(bytes.begin(), bytes.end())).second)
      throw Error(ErrorCode::kData, "this part is there twice", where, kHint);
  }
  return parts;
}

// Sheets and relations are attributes only.
struct Leaves : XmlHandler {
  Leaves(std::string where, std::string_view element, std::string_view key, std::string_view value)
      : where(std::move(where)), element(element), key(key), value(value) {}
  void Start(std::string_view name, const Attributes& attributes) override {
    if (name != element) return;
    if (found.size() == kMaxSheets)
      throw Error(ErrorCode::kData, fmt::format("there are more than {} <{}>", kMaxSheets, element), where,
                  kHint);
    found.emplace_back(Attribute(attributes, key), Attribute(attributes, value));
  }
  void End(std::string_view) override {}
  void Text(std::string_view) override {}
  std::string where;
  std::string_view element, key, value;
  std::vector<std::pair<std::string, std::string>> found;
};

// Collects the text of <t>, but not of phonetic guides (<rPh>).
struct SharedStrings : XmlHandler {
  SharedStrings(uint64_t limit, std::string where) : limit(limit), where(std::move(where)) {}
  void Start(std::string_view name, const Attributes&) override {
    if (name == "si") {
      if (strings.size() == limit)
        throw Error(ErrorCode::kData, fmt::format("there are more than {} shared strings", limit), where,
                    kHint);
      strings.emplace_back();
    }
    if (name == "rPh") ++guides;
    if (name == "t") text = true;
  }
  void End(std::string_view name) override {
    if (name == "rPh") --guides;
    if (name == "t") text = false;
  }
  void Text(std::string_view piece) override {
    if (text && guides == 0 && !strings.empty()) strings.back() += piece;
  }
  uint64_t limit;
  std::string where;
  std::vector<std::string> strings;
  bool text = false;
  int guides = 0;
};

uint64_t ToUnsigned(std::string_view digits) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() ? value : 0;
}

// 1 for "A7", 28 for "AB7"; 0 for what is no reference.
uint64_t ColumnOf(std::string_view reference) {
  uint64_t column = 0;
  for (const char c : reference) {
    if (c < 'A' || c > 'Z') break;
    column = column * 26 + static_cast<uint64_t>(c - 'A' + 1);
    if (column > kMaxColumns) return 0;
  }
  return column;
}

class Sheet : public XmlHandler {
 public:
  Sheet(const std::vector<std::string>& shared, const XlsxLimits& limits, std::string where)
      : shared_(shared), limits_(limits), where_(std::move(where)) {}
  std::vector<XlsxRow> rows;

  void Start(std::string_view name, const Attributes& attributes) override {
    if (name == "row") StartRow(Attribute(attributes, "r"));
    if (name == "c") StartCell(Attribute(attributes, "r"), Attribute(attributes, "t"));
    if (name == "rPh") ++guides_;
    if (name == "v" || name == "t") text_ = true;
  }
  void End(std::string_view name) override {
    if (name == "v" || name == "t") text_ = false;
    if (name == "rPh") --guides_;
    if (name == "c") EndCell();
  }
  void Text(std::string_view piece) override {
    if (text_ && in_cell_ && guides_ == 0) cell_ += piece;
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(ErrorCode::kData, fmt::format("row {}: {}", row_, what), where_, kHint);
  }
  void Count(uint64_t cells) {
    cells_ += cells;
    if (cells_ > limits_.cells) Fail(fmt::format("the sheet has more than {} cells", limits_.cells));
  }
  void StartRow(std::string_view number) {
    if (in_cell_) Fail("a row stands inside a cell");
    const uint64_t before = row_;
    row_ = number.empty() ? row_ + 1 : ToUnsigned(number);
    column_ = 0;
    if (row_ <= before || row_ > kMaxRows) Fail(fmt::format("this number cannot follow row {}", before));
    Count(row_ - rows.size());
    rows.resize(row_);
  }
  void StartCell(std::string_view reference, std::string_view type) {
    if (row_ == 0) Fail("a cell stands outside the rows");
    if (in_cell_) Fail("a cell stands inside a cell");
    const uint64_t before = column_;
    column_ = reference.empty() ? column_ + 1 : ColumnOf(reference);
    if (column_ <= before || column_ > kMaxColumns)
      Fail(fmt::format("cell \"{}\" cannot follow column {}", Printable(reference, 20), before));
    type_ = type;
    cell_.clear();
    in_cell_ = true;
  }
  void EndCell() {
    in_cell_ = false;
    if (type_ == "s") {
      size_t index = 0;
      const auto [end, error] = std::from_chars(cell_.data(), cell_.data() + cell_.size(), index);
      if (error != std::errc() || end != cell_.data() + cell_.size() || index >= shared_.size()) {
        Fail(fmt::format("column {} names shared string \"{}\" of {}", column_, Printable(cell_, 20),
                         shared_.size()));
      }
      cell_ = shared_[index];
    }
    if (type_ == "e") cell_.clear();
    if (cell_.empty()) return;
    text_bytes_ += cell_.size();
    if (text_bytes_ > limits_.text_bytes)
      Fail(fmt::format("the cells hold more than {} bytes of text", limits_.text_bytes));
    XlsxRow& row = rows[row_ - 1];
    Count(column_ - row.size());
    row.resize(column_);
    row.back() = cell_;
  }

  const std::vector<std::string>& shared_;
  const XlsxLimits& limits_;
  std::string where_, type_, cell_;
  uint64_t row_ = 0, column_ = 0, cells_ = 0, text_bytes_ = 0;
  bool in_cell_ = false, text_ = false;
  int guides_ = 0;
};

// Path in the zip of the sheet's part.
std::string FindSheet(const Parts& parts, const std::string& name, const std::string& sheet) {
  const auto workbook = parts.find("xl/workbook.xml"), relations = parts.find("xl/_rels/workbook.xml.rels");
  if (workbook == parts.end() || relations == parts.end())
    throw Error(ErrorCode::kData, "the zip holds no workbook", name, kHint);
  Leaves sheets(name + ":xl/workbook.xml", "sheet", "name", "id");
  Leaves targets(name + ":xl/_rels/workbook.xml.rels", "Relationship", "Id", "Target");
  ParseXml(workbook->second, sheets.where, sheets);
  ParseXml(relations->second, targets.where, targets);
  const std::map<std::string, std::string> target_of(targets.found.begin(), targets.found.end());
  std::vector<std::string> names;
  for (const auto& [title, id] : sheets.found) {
    names.push_back(Printable(title));
    const auto target = target_of.find(id);
    if ((!sheet.empty() && title != sheet) || target == target_of.end()) continue;
    return target->second.starts_with("/") ? target->second.substr(1) : "xl/" + target->second;
  }
  throw Error(ErrorCode::kData,
              fmt::format("there is no sheet \"{}\"; there is {}", sheet, fmt::join(names, ", ")), name,
              kHint);
}

}  // namespace

std::vector<XlsxRow> ReadXlsxParts(const Parts& parts, const std::string& name, const std::string& sheet,
                                   const XlsxLimits& limits) {
  const std::string path = FindSheet(parts, name, sheet);
  const auto part = parts.find(path);
  if (part == parts.end())
    throw Error(ErrorCode::kData, fmt::format("the sheet's part {} is missing", Printable(path)), name,
                kHint);
  SharedStrings shared(limits.cells, name + ":xl/sharedStrings.xml");
  if (const auto strings = parts.find("xl/sharedStrings.xml"); strings != parts.end())
    ParseXml(strings->second, name + ":xl/sharedStrings.xml", shared);
  Sheet cells(shared.strings, limits, name + ":" + path);
  ParseXml(part->second, name + ":" + path, cells);
  return std::move(cells.rows);
}

std::vector<XlsxRow> ReadXlsx(std::unique_ptr<ReadableFile> file, const std::string& name,
                              const std::string& sheet, const XlsxLimits& limits) {
  return ReadXlsxParts(ReadParts(std::move(file), name, limits.xml_bytes), name, sheet, limits);
}

std::vector<XlsxRow> ReadXlsx(const std::string& path, const std::string& sheet, const XlsxLimits& limits) {
  return ReadXlsx(PosixFs().Open(path), path, sheet, limits);
}

}  // namespace graticule
