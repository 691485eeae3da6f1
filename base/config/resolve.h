// From YAML files and dotted overrides to bound structs, with every mistake reported at once.
//
// Later files merge maps and replace lists; changing a section's `kind` replaces that section; overrides
// (`optim.lr=3e-4`, value parsed as YAML) come last. Refused with file:line:column: unknown keys (with the
// nearest known one), wrong types, values out of range, duplicate keys, tags, anchors beyond the limits,
// files above 1 MiB, depth above 32, non-UTF-8.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/config/section.h"

namespace graticule {

struct ConfigIssue {
  std::string where;    // "configs/a.yaml:14:3" or "argument 2"
  std::string message;  // unknown key "optim.weight_decy"
  std::string hint;     // did you mean "optim.weight_decay"?
};

struct ConfigOrigin {
  std::string key;    // "optim.lr"
  std::string value;  // as YAML text
  std::string where;  // file:line:column, "argument k", or "default"
};

class ConfigResult {
 public:
  std::vector<ConfigIssue> issues;
  std::vector<ConfigOrigin> origins;  // one per leaf, in schema order
  std::string resolved_yaml;          // every key with its value and origin; loads back to the same structs
  std::string hash;                   // SHA-256 over the canonical values of fields that are not kFree
  // Throws Error(kUsage) holding all issues, one block each; does nothing when there are none.
  void ThrowIfBad() const;
};

// Fills the structs behind `root`. Never throws for bad input; see issues.
ConfigResult ResolveConfig(Section& root, const std::vector<std::string>& files,
                           const std::vector<std::string>& overrides);

// Fixed and warn fields that differ between two resolved.yaml texts. A key that one text lacks counts with
// its default, so that a program with a new key resumes older runs. Throws Error(kUsage) for texts that are
// not YAML.
struct ConfigDifference {
  std::string key, before, after;
  OnResume rule;
};
std::vector<ConfigDifference> CompareResolved(Section& root, const std::string& before_yaml,
                                              const std::string& after_yaml);

// Text of `--help SECTION` / `config explain`: key, type, default, unit, range, help. prefix "" is
// everything. An unknown prefix throws Error(kUsage) with the nearest key.
std::string DescribeConfig(const Section& root, const std::string& prefix);

}  // namespace graticule
