#include "data/loader/alias_table.h"

#include "base/error.h"
#include "base/hash.h"

namespace graticule {

AliasTable::AliasTable(std::span<const uint64_t> weights) : keep_(weights.size()), alias_(weights.size()) {
  using Wide = unsigned __int128;
  GRATICULE_CHECK(weights.size() <= UINT32_MAX);
  Wide sum = 0;
  for (const uint64_t weight : weights) sum += weight;
  if (sum == 0 || sum >> 63 != 0)
    throw Error(ErrorCode::kUsage, "sampling weights add up to nothing, or to more than 2^63",
                "data.sampling");
  // A column holds `sum` parts; index i brings weight * size of them.
  std::vector<Wide> parts(weights.size());
  std::vector<uint32_t> small, large;
  for (size_t i = weights.size(); i-- > 0;) {  // so that both stacks give the lowest index first
    parts[i] = Wide{weights[i]} * weights.size();
    (parts[i] < sum ? small : large).push_back(static_cast<uint32_t>(i));
  }
  while (!small.empty() && !large.empty()) {
    const uint32_t from = small.back(), to = large.back();
    small.pop_back();
    keep_[from] = static_cast<uint64_t>((parts[from] << 64) / sum);
    alias_[from] = to;
    parts[to] -= sum - parts[from];
    if (parts[to] < sum) {
      large.pop_back();
      small.push_back(to);
    }
  }
  for (const auto* full : {&small, &large}) {
    for (const uint32_t i : *full) {
      keep_[i] = UINT64_MAX;
      alias_[i] = i;
    }
  }
}

int64_t AliasTable::Draw(Rng& rng) const {
  const uint64_t column = rng.Below(keep_.size());
  return rng.NextU64() < keep_[column] ? static_cast<int64_t>(column) : alias_[column];
}

std::string AliasTable::Sha256() const {
  class Sha256 hash;
  hash.Update(keep_.data(), keep_.size() * sizeof keep_[0]);
  hash.Update(alias_.data(), alias_.size() * sizeof alias_[0]);
  return hash.HexDigest();
}

}  // namespace graticule
