// Where the verbs that only need places get them: sealed data sets (--data, --split) or a table (--csv).
//
// A table needs columns for latitude and longitude (lat, latitude; lon, lng, longitude; any case); a row
// whose coordinates are missing counts as unknown, one whose coordinates are no numbers or out of range is
// Error(kData).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "geo/latlon.h"
#include "launch/options.h"

namespace graticule {

struct Places {
  std::vector<LatLon> known;
  int64_t unknown = 0;  // records without coordinates
  std::string sha256;   // of the data set, or of the table's bytes
};

void AddPlaceOptions(Options& options);
bool HasPlaces(const Options& options);
// split: taken when --split is absent; empty takes all records.
Places ReadPlaces(const Options& options, const std::vector<std::string>& split = {});

}  // namespace graticule
