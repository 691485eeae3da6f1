// What the records of a shard may share with others: place, author, capture sequence, as 64-bit hashes.
//
// A place is its country's ISO code with the names of region and city, in lower case (ASCII) and without
// blanks around them: hashes of equal names are equal whatever the numbers in a dataset's own dictionary, so
// datasets need no common one. Records of which neither region nor city is known have no place. Pure; the
// reader's errors pass through.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "data/shard/shard_reader.h"

namespace graticule {

// country_iso: of the shard's records.
std::vector<RecordKeys> ReadRecordKeys(const ShardReader& shard, std::span<const uint16_t> country_iso);

uint64_t PlaceKey(uint16_t country_iso, std::string_view region, std::string_view city);

}  // namespace graticule
