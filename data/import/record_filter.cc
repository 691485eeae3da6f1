#include "data/import/record_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/country.h"

namespace graticule {

std::vector<uint16_t> ParseCountries(std::string_view text) {
  std::vector<uint16_t> codes;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const uint16_t code = NumericCountry(word);
    if (code == 0) {
      throw Error(ErrorCode::kUsage, fmt::format("--countries {}: \"{}\" is no country code", text, word), "",
                  "Write ISO 3166 codes of two letters, like DE,FR,NA.");
    }
    codes.push_back(code);
    at = end + 1;
  }
  return codes;
}

std::array<double, 4> ParseBox(const std::string& text) {
  std::array<double, 4> box{};
  char rest = 0;
  const bool four =
      std::sscanf(text.c_str(), "%lf,%lf,%lf,%lf%c", &box[0], &box[1], &box[2], &box[3], &rest) == 4;
  const auto [south, west, north, east] = box;
  if (four && south >= -90 && south <= north && north <= 90 && west >= -180 && west <= 180 && east >= -180 &&
      east <= 180)
    return box;
  throw Error(ErrorCode::kUsage, fmt::format("--bbox {}; expected SOUTH,WEST,NORTH,EAST in degrees", text),
              "", "For example --bbox=35,-11,71,40; west may lie east of east, across the antimeridian.");
}

int64_t ParseDate(const std::string& text) {
  int year = 0, month = 1, day = 1;
  char rest = 0;
  const int fields = std::sscanf(text.c_str(), "%4d-%2d-%2d%c", &year, &month, &day, &rest);
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  const size_t expected_length = fields == 1 ? 4 : fields == 2 ? 7 : 10;
  if (fields < 1 || fields > 3 || text.size() != expected_length || !date.ok()) {
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is no date", text), "",
                "Write 2019, 2019-07 or 2019-07-31.");
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::sys_days(date).time_since_epoch())
      .count();
}

const char* RecordFilter::Refusal(const RecordRow& row) const {
  const auto country = static_cast<uint16_t>(row.Int(Col::kCountryIso));
  const auto& wanted = options_.countries;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), country) == wanted.end())
    return "filtered_country";
  if (options_.box && !row.IsMissing(Col::kLat)) {
    const auto [south, west, north, east] = *options_.box;
    const double lat = row.Float(Col::kLat), lon = row.Float(Col::kLon);
    const bool in_lon = west <= east ? lon >= west && lon <= east : lon >= west || lon <= east;
    if (lat < south || lat > north || !in_lon) return "filtered_box";
  }
  if (options_.from_ms || options_.to_ms) {
    if (row.IsMissing(Col::kCapturedMs)) return "filtered_date";
    const int64_t at = row.Int(Col::kCapturedMs);
    if ((options_.from_ms && at < *options_.from_ms) || (options_.to_ms && at >= *options_.to_ms))
      return "filtered_date";
  }
  if (options_.per_country > 0) {
    const auto taken = taken_.find(country);
    if (taken != taken_.end() && taken->second >= options_.per_country) return "over_the_cap";
  }
  return nullptr;
}

void RecordFilter::Take(const RecordRow& row) {
  if (options_.per_country > 0) ++taken_[row.Int(Col::kCountryIso)];
}

std::string RecordFilter::Fingerprint() const {
  nlohmann::json text = {{"countries", options_.countries}, {"per_country", options_.per_country}};
  if (options_.box) text["box"] = *options_.box;
  if (options_.from_ms) text["from"] = *options_.from_ms;
  if (options_.to_ms) text["to"] = *options_.to_ms;
  return text.dump();
}

std::string RecordFilter::SaveState() const { return nlohmann::json(taken_).dump(); }

void RecordFilter::LoadState(const std::string& text) {
  taken_ = nlohmann::json::parse(text).get<std::map<int64_t, int64_t>>();
}

}  // namespace graticule
