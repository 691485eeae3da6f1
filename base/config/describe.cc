#include <fmt/format.h>

#include <map>

#include "base/config/resolve.h"
#include "base/config/value.h"
#include "base/config/yaml_tree.h"
#include "base/error.h"
#include "base/text.h"

namespace graticule {
namespace {

std::string Join(const std::string& prefix, const std::string& key) {
  return prefix.empty() ? key : prefix + "." + key;
}

struct Leaf {
  std::string text;
  OnResume rule;
};

// The canonical values of a resolved.yaml by full key. A key that the text lacks has its default: it was
// added later.
void Flatten(const Section& section, const YamlNode* node, const std::string& prefix,
             std::map<std::string, Leaf>& leaves, std::vector<std::string>& order) {
  const auto put = [&](const std::string& path, std::string text, OnResume rule) {
    if (leaves.emplace(path, Leaf{std::move(text), rule}).second) order.push_back(path);
  };
  for (const Section::Entry& entry : section.entries()) {
    const std::string path = Join(prefix, entry.key);
    const YamlNode* value = node == nullptr ? nullptr : node->Find(entry.key);
    if (entry.sub) {
      Flatten(*entry.sub, value, path, leaves, order);
    } else if (entry.prototype) {
      const size_t count = value == nullptr ? 0 : value->items.size();
      for (size_t i = 0; i < count; ++i) {
        Flatten(*entry.prototype(), &value->items[i], fmt::format("{}.{}", path, i), leaves, order);
      }
    } else if (value == nullptr) {
      put(path, entry.default_text, entry.info.on_resume);
    } else {
      put(path, CanonicalText(entry, *value).value_or(ShowYaml(*value)), entry.info.on_resume);
    }
  }
}

YamlNode ParseResolved(const std::string& text) {
  std::vector<ConfigIssue> issues;
  YamlNode node = ParseYaml(text, "resolved.yaml", true, issues);
  if (!issues.empty()) {
    throw Error(ErrorCode::kUsage, issues[0].message, issues[0].where,
                "the file of the run was edited or damaged");
  }
  return node;
}

std::string_view RuleText(OnResume rule) {
  switch (rule) {
    case OnResume::kFree:
      return "free to change on resume";
    case OnResume::kWarn:
      return "a change on resume warns";
    case OnResume::kFixed:
      return "fixed on resume";
  }
  return "";
}

// Lines of every key at or below `wanted`; counts the keys.
int Describe(const Section& section, const std::string& prefix, const std::string& wanted, std::string& text,
             std::vector<std::string>& paths) {
  int shown = 0;
  for (const Section::Entry& entry : section.entries()) {
    const std::string path = Join(prefix, entry.key);
    paths.push_back(path);
    const bool within =
        wanted.empty() || path == wanted || path.starts_with(wanted + ".") || path.starts_with(wanted + "[]");
    if (entry.sub || entry.prototype) {
      const auto inner = entry.sub ? entry.sub : entry.prototype();
      if (within) {
        text += fmt::format("{}{}\n", path, entry.sub ? "" : "[]   (list of sections)");
        if (!entry.info.help.empty()) text += fmt::format("    {}\n", entry.info.help);
        ++shown;
      }
      shown += Describe(*inner, entry.sub ? path : path + "[]", wanted, text, paths);
    } else if (within) {
      const std::string initial = entry.info.required ? "required" : "default " + entry.default_text;
      text += fmt::format("{}   ({}; {}; {})\n    {}\n", path, TypeText(entry), initial,
                          RuleText(entry.info.on_resume), entry.info.help);
      ++shown;
    }
  }
  return shown;
}

}  // namespace

std::string DescribeConfig(const Section& root, const std::string& prefix) {
  std::string text;
  std::vector<std::string> paths;
  if (Describe(root, "", prefix, text, paths) > 0 || prefix.empty()) return text;
  const std::string near = Nearest(prefix, paths);
  throw Error(
      ErrorCode::kUsage, fmt::format("there is no configuration key \"{}\"", Printable(prefix)), "",
      near.empty() ? "`graticule config explain` lists all keys" : fmt::format("did you mean \"{}\"?", near));
}

std::vector<ConfigDifference> CompareResolved(Section& root, const std::string& before_yaml,
                                              const std::string& after_yaml) {
  std::map<std::string, Leaf> before, after;
  std::vector<std::string> order;
  const YamlNode before_node = ParseResolved(before_yaml), after_node = ParseResolved(after_yaml);
  std::vector<std::string> after_order;
  Flatten(root, &before_node, "", before, order);
  Flatten(root, &after_node, "", after, after_order);
  for (const std::string& path : after_order) {
    if (!before.contains(path)) order.push_back(path);
  }
  std::vector<ConfigDifference> differences;
  for (const std::string& path : order) {
    const auto old_leaf = before.find(path), new_leaf = after.find(path);
    const std::string old_text = old_leaf == before.end() ? "(absent)" : old_leaf->second.text;
    const std::string new_text = new_leaf == after.end() ? "(absent)" : new_leaf->second.text;
    const OnResume rule = old_leaf == before.end() ? new_leaf->second.rule : old_leaf->second.rule;
    if (rule != OnResume::kFree && old_text != new_text)
      differences.push_back({path, old_text, new_text, rule});
  }
  return differences;
}

}  // namespace graticule
