// Which records of a download are wanted, decided before their images are read.
//
// Coordinates in degrees, times in ms since 1970 UTC. Counts what it has let through per country, so it
// belongs to one import; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/shard/columns.h"

namespace graticule {

struct RecordFilterOptions {
  std::vector<uint16_t> countries;  // ISO 3166 numeric; empty: all
  // south, west, north, east, inclusive; west > east crosses the antimeridian
  std::optional<std::array<double, 4>> box;
  std::optional<int64_t> from_ms, to_ms;  // [from, to)
  int64_t per_country = 0;  // the first so many of each country in the order of the source; 0: all
};

// "DE,fr,NA" -> numeric codes. Throws Error(kUsage).
std::vector<uint16_t> ParseCountries(std::string_view text);
// "S,W,N,E". Throws Error(kUsage).
std::array<double, 4> ParseBox(const std::string& text);
// "2019", "2019-07" or "2019-07-31": the first instant of it in UTC. Throws Error(kUsage).
int64_t ParseDate(const std::string& text);

class RecordFilter {
 public:
  explicit RecordFilter(RecordFilterOptions options) : options_(std::move(options)) {}

  // nullptr for a record that is wanted, else the reason as import reports call it.
  const char* Refusal(const RecordRow& row) const;
  void Take(const RecordRow& row);  // counts a record that became one

  std::string Fingerprint() const;
  std::string SaveState() const;  // for the journal of an import, and back
  void LoadState(const std::string& text);

 private:
  RecordFilterOptions options_;
  std::map<int64_t, int64_t> taken_;  // by country code, 0 = unknown
};

}  // namespace graticule
