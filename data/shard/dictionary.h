// Distinct strings numbered from 1 in order of first appearance; 0 is the empty string.
// Not thread-safe while it grows.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/shard/columns.h"

namespace graticule {

// Strings back to back with n + 1 offsets, as stored in /id and /dict.
struct StringPool {
  std::vector<char> data;
  std::vector<uint64_t> off{0};
  void Add(std::string_view text);
  size_t size() const { return off.size() - 1; }
  std::string_view at(size_t i) const {
    return {data.data() + off[i], static_cast<size_t>(off[i + 1] - off[i])};
  }
  std::string Sha256() const;  // of data then off
};

class Dictionary {
 public:
  Dictionary() { pool_.Add(""); }
  uint32_t Intern(std::string_view text);
  const StringPool& pool() const { return pool_; }

 private:
  StringPool pool_;
  std::unordered_map<std::string, uint32_t> index_;
};

// Which dictionary a column's numbers point into, by level name ("region"); nullptr for plain columns.
const char* DictionaryLevel(Col col);
using Dictionaries = std::map<std::string, Dictionary>;  // by level

}  // namespace graticule
