#include "data/shard/dictionary.h"

#include "base/hash.h"

namespace graticule {

void StringPool::Add(std::string_view text) {
  data.insert(data.end(), text.begin(), text.end());
  off.push_back(data.size());
}

std::string StringPool::Sha256() const {
  class Sha256 hash;
  hash.Update(data.data(), data.size());
  hash.Update(off.data(), off.size() * sizeof(uint64_t));
  return hash.HexDigest();
}

uint32_t Dictionary::Intern(std::string_view text) {
  if (text.empty()) return 0;
  const auto [entry, added] = index_.try_emplace(std::string(text), static_cast<uint32_t>(pool_.size()));
  if (added) pool_.Add(text);
  return entry->second;
}

const char* DictionaryLevel(Col col) {
  switch (col) {
    case Col::kContinent:
      return "continent";
    case Col::kCountry:
      return "country";
    case Col::kRegion:
      return "region";
    case Col::kSubregion:
      return "subregion";
    case Col::kCity:
      return "city";
    case Col::kCreator:
      return "creator";
    default:
      return nullptr;
  }
}

}  // namespace graticule
