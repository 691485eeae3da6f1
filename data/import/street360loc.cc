#include "data/import/street360loc.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.h"
#include "data/import/layout_columns.h"

namespace graticule {
namespace {

constexpr double kSphereM = 6'365'000, kToleranceM = 1;
constexpr int kViews = 4;

// The columns of the sheet by name, in this order.
constexpr const char* kColumns[] = {"index", "pos", "x", "y", "z", "text_description"};
enum Field { kIndex, kPos, kX, kY, kZ, kText, kFieldCount };

std::vector<size_t> FindColumns(const std::vector<XlsxRow>& sheet, const std::string& where) {
  const XlsxRow header = sheet.empty() ? XlsxRow() : sheet[0];
  std::vector<size_t> columns;
  for (const char* name : kColumns) {
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end()) {
      throw Error(ErrorCode::kData,
                  fmt::format("there is no column \"{}\"; there is {}", name,
                              Printable(fmt::format("{}", fmt::join(header, ", ")))),
                  where, "Expected the workbook of Street360Loc: index, pos, x, y, z, text_description.");
    }
    columns.push_back(static_cast<size_t>(found - header.begin()));
  }
  return columns;
}

std::optional<UnitVector> ToPoint(std::string_view x, std::string_view y, std::string_view z) {
  const std::optional<double> px = ToDouble(x), py = ToDouble(y), pz = ToDouble(z);
  if (!px || !py || !pz) return std::nullopt;
  const double norm = std::sqrt(*px * *px + *py * *py + *pz * *pz);
  if (!(std::abs(norm - kSphereM) <= kToleranceM)) return std::nullopt;
  return UnitVector{*px, *py, *pz};
}

double DistanceM(UnitVector a, UnitVector b) { return std::hypot(a.x - b.x, a.y - b.y, a.z - b.z); }

// By the index, which runs through the cities one after the other.
const char* CityOf(int64_t index) {
  if (index <= 3078) return "Pittsburgh";
  return index <= 4402 ? "Orlando" : "New York";
}

class Street360Layout final : public Layout {
 public:
  explicit Street360Layout(const CsvReader& csv)
      : id_(csv.Require({"id"})),
        lat_(csv.Require({"latitude"})),
        lon_(csv.Require({"longitude"})),
        place_(csv.Require({"place"})),
        pos_(csv.Require({"pos"})),
        text_(csv.Require({"text"})) {}
  size_t id_column() const override { return id_; }
  std::string Key(std::string_view id) const override { return Stem(id); }
  std::string Id(const Fields& fields) const override { return fields[id_]; }
  std::string Text(const Fields& fields) const override { return fields[text_]; }
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport&) const override {
    dictionaries["city"].Intern(City(row.fields));
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport& report,
           RecordRow& out) const override {
    SetDigits(fields[place_], out);
    SetPlace(*ToPlace(fields[lat_], fields[lon_]), out);
    SetCountry("US", fields[id_], report, out);
    out.SetInt(Col::kCity, dictionaries["city"].Intern(City(fields)));
    out.SetInt(Col::kSeqHash, static_cast<int64_t>(NameHash("street360loc:" + fields[place_])));
    out.SetInt(Col::kSeqIndex, *ToInt(fields[pos_]));
  }

 private:
  const char* City(const Fields& fields) const { return CityOf(*ToInt(fields[place_])); }
  size_t id_, lat_, lon_, place_, pos_, text_;
};

}  // namespace

bool IsRefusal(std::string_view description) {
  std::string text;
  for (size_t i = 0; i < description.size(); ++i) {
    // A typographic apostrophe is three bytes of UTF-8.
    if (description.substr(i).starts_with("\xE2\x80\x99")) {
      text += '\'';
      i += 2;
    } else {
      text += static_cast<char>(std::tolower(static_cast<unsigned char>(description[i])));
    }
  }
  for (const char* verb : {"view", "see", "analyze", "access", "process", "describe", "provide"}) {
    for (const char* unable : {"unable to ", "can't ", "cannot ", "not able to "}) {
      if (text.find(std::string(unable) + verb) != text.npos ||
          text.find(std::string(unable) + "directly " + verb) != text.npos)
        return true;
    }
  }
  return false;
}

int64_t Street360Rows(const std::string& split) {
  if (split == "train") return 20'004;
  if (split == "val") return 4'004;
  return split == "test" ? 4'000 : 0;
}

std::string Street360ToCsv(const std::vector<XlsxRow>& sheet, const std::string& where,
                           const std::string& split, const Street360Options& options, ImportReport& report) {
  const std::vector<size_t> columns = FindColumns(sheet, where);
  std::map<int64_t, UnitVector> places;
  std::map<int64_t, int> views;
  std::string csv = "id,latitude,longitude,place,pos,text\n";
  int64_t rows = 0;
  for (size_t r = 1; r < sheet.size(); ++r) {
    if (sheet[r].empty()) continue;
    ++rows;
    const auto field = [&](Field f) {
      return columns[f] < sheet[r].size() ? std::string_view(sheet[r][columns[f]]) : std::string_view();
    };
    const std::optional<int64_t> index = ToInt(field(kIndex)), pos = ToInt(field(kPos));
    if (!index || *index < 1 || *index > 999'999 || !pos || *pos < 1 || *pos > kViews) {
      report.Count("row_without_id", fmt::format("row {}", r + 1));
      continue;
    }
    const std::string place = fmt::format("{:06}", *index), id = fmt::format("{}_{}", place, *pos);
    const std::optional<UnitVector> point = ToPoint(field(kX), field(kY), field(kZ));
    if (!point) {
      report.Count("bad_coordinates", fmt::format("row {}, id {}", r + 1, id));
      continue;
    }
    if (split == "train" && !options.keep_overlap && (*index == 4000 || *index == 5000)) {
      report.Count("place_of_two_splits", id);
      continue;
    }
    const UnitVector& first = places.try_emplace(*index, *point).first->second;
    if (DistanceM(first, *point) > kToleranceM) report.Count("view_away_from_its_place", id);
    std::string_view text = field(kText);
    if (!options.keep_refusals && IsRefusal(text)) {
      report.Count("refused_description", id);
      text = {};
    }
    ++views[*index];
    const LatLon at = ToLatLon(first);
    csv += fmt::format("{},{},{},{},{},{}\n", id, at.lat_deg, at.lon_deg, place, *pos, CsvField(text));
  }
  for (const auto& [index, count] : views) {
    if (count != kViews) report.Count("place_without_four_views", fmt::format("{:06}: {}", index, count));
  }
  report.CompareRows(rows, Street360Rows(split));
  return csv;
}

std::unique_ptr<Layout> MakeStreet360Layout(const CsvReader& csv) {
  return std::make_unique<Street360Layout>(csv);
}

}  // namespace graticule
