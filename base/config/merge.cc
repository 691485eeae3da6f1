#include "base/config/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace graticule {
namespace {

const Section::Entry* FindEntry(const Section* schema, std::string_view key) {
  if (schema == nullptr) return nullptr;
  for (const Section::Entry& entry : schema->entries()) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

const Section* SubSchema(const Section* schema, std::string_view key) {
  const Section::Entry* entry = FindEntry(schema, key);
  return entry == nullptr ? nullptr : entry->sub.get();
}

// The kind that holds in `node`: written there, or the default.
std::optional<std::string> KindOf(const YamlNode& node, const Section* schema) {
  const YamlNode* kind = node.Find("kind");
  if (kind != nullptr && kind->kind == YamlNode::Kind::kScalar) return kind->text;
  const Section::Entry* entry = FindEntry(schema, "kind");
  if (entry == nullptr) return std::nullopt;
  const auto* const* target = std::get_if<std::string*>(&entry->target);
  return target == nullptr ? std::nullopt : std::optional<std::string>(entry->default_text);
}

// True if giving `kind` ends what `node` held. A kind that does not exist replaces nothing, so that the
// mistakes below it are still reported.
bool ReplacesKind(const YamlNode& node, const std::optional<std::string>& kind, const Section* schema) {
  const Section::Entry* entry = FindEntry(schema, "kind");
  const bool exists = entry == nullptr || entry->choices.empty() || !kind ||
                      std::count(entry->choices.begin(), entry->choices.end(), *kind) > 0;
  return exists && kind != KindOf(node, schema);
}

struct Override {
  std::string where;
  std::vector<std::string> path;
  YamlNode value;
};

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t dot = text.find('.');
    parts.emplace_back(text.substr(0, dot));
    if (dot == text.npos) return parts;
    text.remove_prefix(dot + 1);
  }
}

std::optional<Override> ParseOverride(const std::string& argument, size_t number,
                                      std::vector<ConfigIssue>& issues) {
  Override result;
  result.where = fmt::format("argument {}", number);
  const size_t equals = argument.find('=');
  if (equals == argument.npos || equals == 0) {
    issues.push_back({result.where, fmt::format("found \"{}\", expected key=value", Printable(argument)),
                      "for example optim.lr=3e-4"});
    return std::nullopt;
  }
  result.path = Split(std::string_view(argument).substr(0, equals));
  const bool empty_part =
      std::any_of(result.path.begin(), result.path.end(), [](const auto& p) { return p.empty(); });
  if (empty_part || result.path.size() > kMaxYamlDepth) {
    issues.push_back(
        {result.where,
         fmt::format("found \"{}\", expected names joined by dots before the =", Printable(argument)),
         "for example optim.lr=3e-4"});
    return std::nullopt;
  }
  const size_t before = issues.size();
  result.value = ParseYaml(std::string_view(argument).substr(equals + 1), result.where, false, issues);
  if (issues.size() > before) {
    if (issues.back().hint.empty()) issues.back().hint = "put quotes around a text with special characters";
    return std::nullopt;
  }
  result.value.where = result.where;
  return result;
}

// Walks to the place of an override, making sections on the way.
class Setter {
 public:
  Setter(Override& o, std::vector<ConfigIssue>& issues) : o_(o), issues_(issues) {}

  void Set(YamlNode& node, const Section* schema, size_t depth) {
    if (depth == o_.path.size()) return MergeYaml(node, std::move(o_.value), schema);
    const std::string& part = o_.path[depth];
    if (node.kind == YamlNode::Kind::kList) return SetInList(node, depth);
    if (node.kind == YamlNode::Kind::kScalar) {
      return Refuse(depth, fmt::format("is {} and not a section", ShowYaml(node)));
    }
    if (node.kind == YamlNode::Kind::kNull) node = {.kind = YamlNode::Kind::kMap, .where = o_.where};
    const bool sets_kind =
        part == "kind" && depth + 1 == o_.path.size() && o_.value.kind == YamlNode::Kind::kScalar;
    if (sets_kind && ReplacesKind(node, o_.value.text, schema)) node.entries.clear();
    YamlNode* child = node.Find(part);
    if (child == nullptr) {
      node.entries.push_back({part, o_.where, {.where = o_.where}});
      child = &node.entries.back().value;
    }
    Set(*child, SubSchema(schema, part), depth + 1);
  }

 private:
  void SetInList(YamlNode& node, size_t depth) {
    const std::string& part = o_.path[depth];
    size_t index = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    if (error != std::errc() || end != part.data() + part.size() || index >= node.items.size()) {
      return Refuse(depth, fmt::format("is a list of {}, which has no element \"{}\"", node.items.size(),
                                       Printable(part)));
    }
    Set(node.items[index], nullptr, depth + 1);
  }
  void Refuse(size_t depth, const std::string& why) {
    const auto end = o_.path.begin() + static_cast<std::ptrdiff_t>(depth);
    issues_.push_back({o_.where, fmt::format("\"{}\" {}", fmt::join(o_.path.begin(), end, "."), why), ""});
  }

  Override& o_;
  std::vector<ConfigIssue>& issues_;
};

}  // namespace

void MergeYaml(YamlNode& into, YamlNode from, const Section* schema) {
  if (into.is_map() && from.kind == YamlNode::Kind::kNull) return;  // "optim:" with nothing below it
  if (!into.is_map() || !from.is_map()) {
    into = std::move(from);
    return;
  }
  if (from.Find("kind") != nullptr && ReplacesKind(into, KindOf(from, schema), schema)) {
    into = std::move(from);
    return;
  }
  for (YamlEntry& entry : from.entries) {
    YamlNode* known = into.Find(entry.key);
    if (known == nullptr) {
      into.entries.push_back(std::move(entry));
    } else {
      MergeYaml(*known, std::move(entry.value), SubSchema(schema, entry.key));
    }
  }
}

void ApplyOverrides(YamlNode& root, const std::vector<std::string>& overrides, const Section& schema,
                    std::vector<ConfigIssue>& issues) {
  std::vector<Override> parsed;
  for (size_t i = 0; i < overrides.size(); ++i) {
    if (auto one = ParseOverride(overrides[i], i + 1, issues)) parsed.push_back(std::move(*one));
  }
  std::stable_partition(parsed.begin(), parsed.end(),
                        [](const Override& o) { return o.path.back() == "kind"; });
  for (Override& o : parsed) Setter(o, issues).Set(root, &schema, 0);
}

}  // namespace graticule
