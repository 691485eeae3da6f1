// YAML text as a plain tree in which every node knows where it stands. The only user of yaml-cpp.
//
// The accepted language is smaller than YAML: one document, text keys, no tags, no repeated keys, aliases
// only while the expanded tree stays within kMaxNodes, depth at most kMaxDepth, at most kMaxBytes of UTF-8
// without NUL. Parsing never throws for bad input: everything that is wrong is appended to `issues`. Values
// own their memory.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config/resolve.h"

namespace graticule {

inline constexpr size_t kMaxYamlBytes = size_t{1} << 20;
inline constexpr size_t kMaxYamlDepth = 32;
inline constexpr size_t kMaxYamlNodes = 50'000;

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;                // kScalar
  bool quoted = false;             // kScalar: 'text' or "text", so never a number
  std::string where;               // "configs/a.yaml:14:3" or "argument 2"
  std::vector<YamlNode> items;     // kList
  std::vector<YamlEntry> entries;  // kMap, in file order, keys unique

  bool is_map() const { return kind == Kind::kMap; }
  YamlNode* Find(std::string_view key);
  const YamlNode* Find(std::string_view key) const;
};

struct YamlEntry {
  std::string key;
  std::string where;  // of the key
  YamlNode value;
};

// source is a file name, or with `positions` false a place that needs no line ("argument 2"). An empty
// document is kNull. Returns what was read up to the first error of syntax.
YamlNode ParseYaml(std::string_view text, const std::string& source, bool positions,
                   std::vector<ConfigIssue>& issues);

// Reads and parses a file; a missing or oversized one is an issue too.
YamlNode ParseYamlFile(const std::string& path, std::vector<ConfigIssue>& issues);

// A scalar as YAML: plain where that is unmistakable, otherwise in double quotes.
std::string QuoteYaml(std::string_view text);

// Flow style on one line, for messages; long text is cut.
std::string ShowYaml(const YamlNode& node, size_t limit = 80);

}  // namespace graticule
