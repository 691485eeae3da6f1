// XXH64 of a string with seed 0: the hash that shards store for sequences and authors, and joins use for ids.
#pragma once

#include <cstdint>
#include <string_view>

namespace graticule {

uint64_t Xxh64(std::string_view text);

}  // namespace graticule
