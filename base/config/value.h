// One configuration value between its YAML form and the member it is bound to: conversion, range check, text.
//
// Pure functions over the section table. Failures are returned, not thrown: the resolver collects them.
#pragma once

#include <optional>
#include <string>

#include "base/config/section.h"
#include "base/config/yaml_tree.h"

namespace graticule {

struct ValueProblem {
  std::string where, message, hint;
};

// Stores `node` in the entry's target. `path` is the full key, for the message. On failure nothing is
// promised about the target.
std::optional<ValueProblem> AssignValue(const Section::Entry& entry, const std::string& path,
                                        const YamlNode& node);

// The target's present value as one line of YAML; loads back to the same value. "" for sections and lists of
// maps.
std::string TextOf(const Section::Target& target);

// `node` in the same canonical form, without touching the target. nullopt if it does not fit the type.
std::optional<std::string> CanonicalText(const Section::Entry& entry, const YamlNode& node);

// "number >= 0, in s": type, range and choices of a field.
std::string TypeText(const Section::Entry& entry);

}  // namespace graticule
