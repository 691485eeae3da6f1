#include "data/import/layout_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "data/country.h"

namespace graticule {

std::vector<Straight> FindStraight(const CsvReader& csv,
                                   const std::vector<std::pair<const char*, Col>>& pairs) {
  std::vector<Straight> found;
  for (const auto& [name, col] : pairs) {
    if (const auto column = csv.FindAny({name})) found.push_back({*column, &SpecOf(col)});
  }
  return found;
}

std::vector<Straight> FindScenes(const CsvReader& csv) {
  return FindStraight(csv, {{"S3_Label", Col::kScene3},
                            {"S16_Label", Col::kScene16},
                            {"S365_Label", Col::kScene365},
                            {"Prob_indoor", Col::kProbIndoor},
                            {"Prob_natural", Col::kProbNatural},
                            {"Prob_urban", Col::kProbUrban}});
}

void SetStraight(const std::vector<Straight>& columns, const Fields& fields, std::string_view id,
                 ImportReport& report, RecordRow& out) {
  for (const Straight& column : columns) SetFromText(*column.to, fields[column.from], id, report, out);
}

std::vector<Named> FindNamed(const CsvReader& csv, const std::vector<std::pair<const char*, Col>>& pairs,
                             bool words) {
  std::vector<Named> found;
  for (const auto& [name, col] : pairs) {
    if (const auto column = csv.FindAny({name})) found.push_back({*column, col, words});
  }
  return found;
}

void InternAll(const std::vector<Named>& columns, const Fields& fields, Dictionaries& dictionaries,
               RecordRow* out) {
  for (const Named& column : columns) {
    const std::string& text = fields[column.from];
    // Among OSV-5M's names "NA" is Namibia's country key: only the empty field and the spelled-out NaN are
    // missing there.
    if (column.words ? text.empty() || text == "NaN" || text == "nan" : IsMissing(text)) continue;
    const uint32_t number = dictionaries[DictionaryLevel(column.to)].Intern(text);
    if (out != nullptr) out->SetInt(column.to, number);
  }
}

void SetCountry(std::string_view code, std::string_view id, ImportReport& report, RecordRow& out) {
  if (code.empty()) return;
  const uint16_t numeric = NumericCountry(code);
  if (numeric == 0) report.Count("unknown_country", fmt::format("{}: {}", id, code));
  out.SetInt(Col::kCountryIso, numeric);
  const std::optional<bool> left = DrivesOnTheLeft(code);
  if (left && out.IsMissing(Col::kDriveLeft)) out.SetInt(Col::kDriveLeft, *left ? 1 : 0);
}

void SetCountryByName(std::string_view name, std::string_view id, ImportReport& report, RecordRow& out) {
  if (IsMissing(name)) return;
  const std::string code = Alpha2OfName(name);
  if (code.empty()) return report.Count("unknown_country", fmt::format("{}: {}", id, name));
  SetCountry(code, id, report, out);
}

void SetPlace(LatLon place, RecordRow& out) {
  out.SetFloat(Col::kLat, place.lat_deg);
  out.SetFloat(Col::kLon, place.lon_deg);
}

void SetDigits(std::string_view text, RecordRow& out) {
  const bool digits = !text.empty() && text.size() <= 18 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) out.SetInt(Col::kIdU64, *ToInt(text));
}

void SetAuthor(std::string_view platform, std::string_view author, RecordRow& out) {
  if (IsMissing(author)) return;
  // Ids are written as floats in some published tables.
  const std::optional<int64_t> number = ToInt(author);
  const std::string id = number ? std::to_string(*number) : std::string(author);
  out.SetInt(Col::kAuthorHash, static_cast<int64_t>(NameHash(fmt::format("{}:{}", platform, id))));
}

int MonthOf(int64_t captured_ms) {
  using namespace std::chrono;
  const sys_days day = floor<days>(sys_time<milliseconds>(milliseconds(captured_ms)));
  return static_cast<int>(static_cast<unsigned>(year_month_day(day).month()));
}

bool ScanPlace(const CsvRow& row, size_t lat, size_t lon, const std::string& id, ImportReport& report,
               PlaceRule rule) {
  const std::optional<LatLon> place = ToPlace(row.fields[lat], row.fields[lon]);
  const bool origin = place == LatLon{0, 0};
  if (place && std::abs(*ToDouble(row.fields[lon])) <= rule.max_lon && (rule.origin || !origin)) return true;
  report.Count("bad_coordinates",
               fmt::format("line {}, id {}: {}", row.line, id,
                           origin ? "exactly (0, 0)"
                                  : fmt::format("\"{}\", \"{}\"", row.fields[lat], row.fields[lon])));
  return false;
}

}  // namespace graticule
