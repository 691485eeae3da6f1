#include "data/shard/string_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace graticule {

uint64_t Xxh64(std::string_view text) { return XXH64(text.data(), text.size(), 0); }

}  // namespace graticule
