// The attributes of one record that training and evaluation use, and their sentinels (docs/FORMATS.md, record
// schema).
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

inline constexpr uint8_t kMissingU8 = 255;
inline constexpr int64_t kMissingTime = std::numeric_limits<int64_t>::min();

// Image flags (bitset).
enum ImageFlag : uint8_t { kProgressive = 1, kGray = 2, kCmyk = 4, kNeedsRotation = 8, kTruncated = 16 };

// The regression targets in PIGEON's order; names are the /aux columns.
inline constexpr const char* kAuxColumns[] = {"elev_m",  "popden_km2", "tavg_c",
                                              "tdiff_c", "prec_mm",    "precdiff_mm"};
inline constexpr int kAuxColumnCount = 6;

struct RecordMeta {
  LatLon place{std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  uint16_t width = 0, height = 0;  // as stored, before EXIF orientation
  uint8_t flags = 0;
  uint8_t climate = kMissingU8;  // Beck code 1..30, 0 = no data
  uint8_t month = 0;             // 1..12, 0 = missing
  uint8_t drive_left = kMissingU8;
  uint16_t country_iso = 0;    // ISO-3166 numeric, 983 = XK
  std::string country;         // ISO alpha-2 where known
  float aux[kAuxColumnCount];  // NaN = missing
};

// What two records may have in common beyond their pictures. Hashes of 64 bits, comparable between datasets;
// 0 = unknown.
struct RecordKeys {
  // Of country and city (region where no city is known), by their normalised names: datasets whose
  // dictionaries differ agree on a place they both name.
  uint64_t place = 0;
  uint64_t author = 0, sequence = 0;
};

}  // namespace graticule
