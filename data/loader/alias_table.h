// Weighted draws with replacement in constant time (Walker's alias method, Vose's construction), in integers
// throughout: every rank and every CPU builds the same table, and Sha256 says so in checkpoints.
//
// Immutable, thread-safe. 12 bytes per weight. Throws Error(kUsage) when no weight is positive or the sum
// passes 2^63.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"

namespace graticule {

class AliasTable {
 public:
  explicit AliasTable(std::span<const uint64_t> weights);  // at most 2^32 of them
  int64_t size() const { return static_cast<int64_t>(alias_.size()); }
  int64_t Draw(Rng& rng) const;
  std::string Sha256() const;

 private:
  std::vector<uint64_t> keep_;  // below this fraction of 2^64 a column keeps its own index
  std::vector<uint32_t> alias_;
};

}  // namespace graticule
