#include "data/import/info_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/error.h"

namespace graticule {
namespace {

using nlohmann::json;

constexpr char kHint[] =
    "Expected the info.json of IM2GPS: {\"photo.jpg\": [..., \"latitude: 48.85\", \"longitude: 2.35\", "
    "...]}.";

// "x" of "<name>: x", `from_end` strings before the end; empty when it does not read so.
std::string Value(const json& strings, size_t from_end, std::string_view name) {
  if (strings.size() < from_end) return "";
  const json& entry = strings[strings.size() - from_end];
  if (!entry.is_string()) return "";
  std::string_view text = entry.get_ref<const std::string&>();
  if (!text.starts_with(name) || !text.substr(name.size()).starts_with(":")) return "";
  text.remove_prefix(name.size() + 1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

std::string InfoJsonToCsv(std::string_view text, const std::string& where) {
  json photos;
  try {
    photos = json::parse(text);
  } catch (const json::exception& problem) {
    throw Error(ErrorCode::kData, fmt::format("not valid JSON: {}", problem.what()), where, kHint);
  }
  if (!photos.is_object()) throw Error(ErrorCode::kData, "the JSON is no object of photos", where, kHint);
  std::string csv = "IMG_ID,LAT,LON\n";
  for (const auto& [name, strings] : photos.items()) {
    if (!strings.is_array())
      throw Error(ErrorCode::kData, fmt::format("\"{}\" has no list of strings", name), where, kHint);
    if (strings.empty()) continue;
    csv += fmt::format("{},{},{}\n", CsvField(name), CsvField(Value(strings, 4, "latitude")),
                       CsvField(Value(strings, 3, "longitude")));
  }
  return csv;
}

}  // namespace graticule
