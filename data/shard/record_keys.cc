#include "data/shard/record_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "data/shard/string_hash.h"

namespace graticule {
namespace {

// Names of one level by record; empty where the shard has none.
struct Names {
  std::vector<uint32_t> index;
  StringPool pool;

  Names(const ShardReader& shard, const std::string& level) {
    if (!shard.Has("/adm/" + level)) return;
    index = shard.Column<uint32_t>("/adm/" + level);
    pool = shard.Pool("/dict/" + level + "/data", "/dict/" + level + "/off");
    if (std::any_of(index.begin(), index.end(), [&](uint32_t i) { return i >= pool.size(); })) {
      throw Error(ErrorCode::kData, fmt::format("/adm/{} points beyond /dict/{}", level, level), shard.path(),
                  "Fetch or import the shard again.");
    }
  }
  std::string_view at(size_t record) const { return index.empty() ? "" : pool.at(index[record]); }
};

std::string Normalised(std::string_view name) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!name.empty() && blank(name.front())) name.remove_prefix(1);
  while (!name.empty() && blank(name.back())) name.remove_suffix(1);
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<uint64_t> Hashes(const ShardReader& shard, const std::string& column) {
  return shard.Has(column) ? shard.Column<uint64_t>(column) : std::vector<uint64_t>();
}

}  // namespace

uint64_t PlaceKey(uint16_t country_iso, std::string_view region, std::string_view city) {
  const std::string region_name = Normalised(region), city_name = Normalised(city);
  if (region_name.empty() && city_name.empty()) return 0;
  return Xxh64(fmt::format("{}\n{}\n{}", country_iso, region_name, city_name));
}

std::vector<RecordKeys> ReadRecordKeys(const ShardReader& shard, std::span<const uint16_t> country_iso) {
  const auto n = static_cast<size_t>(shard.size());
  GRATICULE_CHECK(country_iso.size() == n);
  const Names region(shard, "region"), city(shard, "city");
  const std::vector<uint64_t> author = Hashes(shard, "/own/author_hash"),
                              sequence = Hashes(shard, "/seq/hash");
  std::vector<RecordKeys> keys(n);
  for (size_t i = 0; i < n; ++i) {
    keys[i].place = PlaceKey(country_iso[i], region.at(i), city.at(i));
    if (!author.empty()) keys[i].author = author[i];
    if (!sequence.empty()) keys[i].sequence = sequence[i];
  }
  return keys;
}

}  // namespace graticule
