// Which records of one part of the data are too close to those of another: training images that a test set
// would measure again.
//
// A record of B overlaps A when some record of A has the same id, the same image bytes (CRC-32C and length),
// the same author (/own/author_hash), the same capture sequence (/seq/hash), or lies less than `km` from it.
// Per criterion one partner in A is told: the first one, and for places the nearest, so that the result grows
// with B and not with the product. A missing value is like no other. A and B may be one folder with two
// splits.
//
// Memory: about 70 B per record of A and 50 B per record of B beside the indices. One thread.
// Distances are great circles of the evaluation sphere, in km. Throws Error(kUsage) for splits that are not
// there or the same, Error(kData) for damaged files.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>

#include "geo/latlon.h"

namespace graticule {

enum class OverlapBy : uint8_t { kId, kBytes, kAuthor, kSequence, kPlace };
inline constexpr size_t kOverlapCount = 5;
inline constexpr std::array<const char*, kOverlapCount> kOverlapNames = {"id", "bytes", "author", "sequence",
                                                                         "place"};

struct OverlapPart {
  std::string folder;
  std::string split;  // empty: all records
};

struct OverlapPair {
  int64_t record_a = -1, record_b = -1;  // counted in the whole dataset, as `data inspect --record` does
  std::string id_a, id_b;
  LatLon place_a, place_b;                   // NaN where unknown
  double km = 0;                             // NaN where a place is unknown
  std::array<bool, kOverlapCount> shared{};  // every criterion that holds between these two
};

struct OverlapCounts {
  int64_t shared = 0;                // records of B with a partner in A
  int64_t known_a = 0, known_b = 0;  // records that have a value to compare
};

struct OverlapResult {
  int64_t records_a = 0, records_b = 0;
  std::array<OverlapCounts, kOverlapCount> by{};
  int64_t any = 0;                                           // records of B that share anything
  int64_t pairs = 0;                                         // told to `each`
  double min_km = std::numeric_limits<double>::quiet_NaN();  // NaN when no two places can be compared
  int64_t nearest_a = -1, nearest_b = -1;                    // the records that far apart
};

// each: called for every pair, in the order of B's records and then of A's.
OverlapResult FindOverlap(const OverlapPart& a, const OverlapPart& b, double km,
                          const std::function<void(const OverlapPair&)>& each);

}  // namespace graticule
