// Laying one YAML tree over another: maps merge, lists and values replace, and a section whose `kind` changes
// starts anew, since the other keys belonged to the old kind.
//
// `schema` may be null where the table says nothing; it supplies the kind that holds when none is written.
#pragma once

#include <string>
#include <vector>

#include "base/config/section.h"
#include "base/config/yaml_tree.h"

namespace graticule {

void MergeYaml(YamlNode& into, YamlNode from, const Section* schema);

// Applies "a.b=value" texts; the k-th is located as "argument k". Kinds are applied first, so that the order
// of arguments does not matter. `a.0.b` reaches into a list that a file gave.
void ApplyOverrides(YamlNode& root, const std::vector<std::string>& overrides, const Section& schema,
                    std::vector<ConfigIssue>& issues);

}  // namespace graticule
