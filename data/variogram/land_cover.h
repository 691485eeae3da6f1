// The land cover class of every record: the source's own column, filled from the enrichment or replaced by
// it.
//
// Training does not use this column, so that the index has no copy of it: opening reads it from each shard.
// Immutable once opened. The dataset must outlive it. Throws Error(kData).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "data/dataset.h"

namespace graticule {

class LandCover {
 public:
  explicit LandCover(const Dataset& dataset);
  std::optional<int32_t> Of(int64_t record) const;

 private:
  const Dataset& dataset_;
  std::vector<std::vector<std::vector<uint8_t>>> classes_;  // [folder][shard][row]
};

}  // namespace graticule
