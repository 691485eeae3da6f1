#include "data/import/import_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/text.h"

namespace graticule {
namespace {

constexpr size_t kFirst = 20;

// How each reason and share reads in the text report.
const char* Explain(const std::string& reason) {
  static const std::map<std::string, const char*> kTexts = {
      {"row_without_file", "rows without an image"},
      {"name_leaves_the_folder",
       "rows whose image lies outside the folder (name a folder above all of them: --images)"},
      {"file_without_row", "images without a row"},
      {"row_with_repeated_id", "rows that repeat an id (the first counts)"},
      {"row_without_id", "rows without an id"},
      {"row_with_wrong_field_count", "rows with too few or too many fields"},
      {"row_not_utf8", "rows with text that is not UTF-8 (read as Latin-1)"},
      {"name_not_utf8", "file names that are not UTF-8 (their ids are read as Latin-1)"},
      {"bad_coordinates", "rows with missing or impossible coordinates"},
      {"without_place", "images without a place in the table or in EXIF"},
      {"no_country", "rows without a country (dropped as the G3 recipe does)"},
      {"unknown_country", "records whose country is none that is known by this code or name (kept)"},
      {"file_twice", "images whose id came before"},
      {"undecodable", "images that are not a readable JPEG"},
      {"damaged_member", "archive members that do not match their checksum"},
      {"record_without_image", "records whose image is not there (kept)"},
      {"other_format", "images in another format than JPEG"},
      {"row_of_another_part", "rows whose image is in none of the archives that were read"},
      {"absent_file", "published archives that are not here"},
      {"unexpected_row_count", "tables that are not as long as the published one"},
      {"filtered_country", "records of other countries"},
      {"filtered_box", "records outside the bounding box"},
      {"filtered_date", "records of other dates, or of none"},
      {"over_the_cap", "records above the number per country"},
      {"side_row_count", "joined tables with another number of rows than the main one"},
      {"too_small", "images at or below the size of a placeholder"},
      {"placeholder", "known \"photo unavailable\" pictures"},
      {"identical_bytes", "images with the same bytes as an earlier one"},
      {"member_without_name", "archive members whose name is not readable"},
      {"not_a_jpeg_name", "files that are not named .jpg or .jpeg"},
      {"truncated", "images cut short (kept, flagged)"},
      {"bad_value", "values that cannot be read (kept as missing)"},
      {"extra_row_without_record", "rows of extra tables without a record"},
      {"place_of_two_splits", "rows of places that another split has too"},
      {"refused_description", "descriptions whose writer saw no image (record kept without text)"},
      {"view_away_from_its_place", "views placed more than a metre from the first of their place"},
      {"place_without_four_views", "places that do not have four rows"},
      {"consecutive_within_25km", "of consecutive records lie within 25 km of each other"},
      {"place_from_exif", "records placed by their EXIF position (kept)"},
  };
  const auto found = kTexts.find(reason);
  return found == kTexts.end() ? reason.c_str() : found->second;
}

}  // namespace

void ImportReport::Count(const std::string& reason, std::string_view offender) {
  Reason& entry = reasons_[reason];
  if (entry.count++ < static_cast<int64_t>(kFirst)) entry.first.push_back(Printable(offender));
}

void ImportReport::Add(const ImportReport& other) {
  for (const auto& [name, reason] : other.reasons_) AddReason(other, name);
  for (const auto& [name, value] : other.totals_) totals_[name] = value;
  for (const auto& [name, value] : other.shares_) shares_[name] = value;
}

void ImportReport::AddReason(const ImportReport& other, const std::string& name) {
  const auto found = other.reasons_.find(name);
  if (found == other.reasons_.end()) return;
  Reason& entry = reasons_[name];
  entry.count += found->second.count;
  for (const std::string& offender : found->second.first) {
    if (entry.first.size() < kFirst) entry.first.push_back(offender);
  }
}

void ImportReport::CompareRows(int64_t rows, int64_t published) {
  SetTotal("rows of the published table", published);
  if (rows != published) Count("unexpected_row_count", fmt::format("{} rows instead of {}", rows, published));
}

void ImportReport::CompareFiles(const std::string& unit, const std::vector<std::string>& published,
                                const std::function<bool(size_t)>& wanted,
                                const std::vector<std::string>& found) {
  const auto absent = [&](size_t i) {
    return i < published.size() && wanted(i) &&
           std::find(found.begin(), found.end(), published[i]) == found.end();
  };
  std::string names;
  int64_t expected = 0, count = 0;
  size_t run = 0;  // absent ones in a row
  for (size_t i = 0; i < published.size(); ++i) {
    expected += wanted(i);
    if (!absent(i)) continue;
    ++count;
    ++run;
    if (absent(i + 1)) continue;
    names += " " + published[i + 1 - run];
    if (run > 1) names += (run > 2 ? "-" : " ") + published[i];
    run = 0;
  }
  const int64_t here = expected - count;
  SetTotal(unit, here);
  SetTotal(unit + " expected", expected);
  if (count == 0) return;
  // One line, however many they are: its names are what is fetched next.
  reasons_["absent_file"] = {count, {fmt::format("{} of {} {}; absent:{}", here, expected, unit, names)}};
}

int64_t ImportReport::count(const std::string& reason) const {
  const auto found = reasons_.find(reason);
  return found == reasons_.end() ? 0 : found->second.count;
}

std::string ImportReport::ToJson() const {
  nlohmann::json out = {{"totals", totals_}, {"shares", shares_}, {"reasons", nlohmann::json::object()}};
  for (const auto& [name, reason] : reasons_) {
    out["reasons"][name] = {{"count", reason.count}, {"first", reason.first}, {"meaning", Explain(name)}};
  }
  return JsonText(out, 1);
}

ImportReport ImportReport::FromJson(const std::string& text) {
  const nlohmann::json in = nlohmann::json::parse(text);
  ImportReport report;
  report.totals_ = in.at("totals").get<std::map<std::string, int64_t>>();
  report.shares_ = in.value("shares", report.shares_);
  for (const auto& [name, reason] : in.at("reasons").items()) {
    report.reasons_[name] = {reason.at("count"), reason.at("first").get<std::vector<std::string>>()};
  }
  return report;
}

std::string ImportReport::ToText() const {
  std::string out;
  for (const auto& [name, value] : totals_) out += fmt::format("{:>12}  {}\n", value, name);
  for (const auto& [name, value] : shares_)
    out += fmt::format("{:>10.1f} %  {}\n", 100 * value, Explain(name));
  for (const auto& [name, reason] : reasons_) {
    out += fmt::format("{:>12}  {}\n", reason.count, Explain(name));
    for (size_t i = 0; i < std::min<size_t>(3, reason.first.size()); ++i) {
      out += fmt::format("{:>12}    {}\n", "", reason.first[i]);
    }
    if (reason.first.size() > 3) out += fmt::format("{:>12}    ...\n", "");
  }
  return out;
}

void ImportReport::Write(FileSystem& fs, const std::string& folder) const {
  WriteFileAtomically(fs, JoinPath(folder, "import_report.json"), ToJson() + "\n");
  WriteFileAtomically(fs, JoinPath(folder, "import_report.txt"), ToText());
}

}  // namespace graticule
