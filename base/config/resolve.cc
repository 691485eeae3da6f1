#include "base/config/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "base/config/merge.h"
#include "base/config/value.h"
#include "base/config/yaml_tree.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace graticule {
namespace {

std::string Join(const std::string& prefix, const std::string& key) {
  return prefix.empty() ? key : prefix + "." + key;
}

// Every key path of the schema, list elements as "[]".
void CollectPaths(const Section& section, const std::string& prefix, std::vector<std::string>& paths) {
  for (const Section::Entry& entry : section.entries()) {
    const std::string path = Join(prefix, entry.key);
    paths.push_back(path);
    if (entry.sub) CollectPaths(*entry.sub, path, paths);
    if (entry.prototype) CollectPaths(*entry.prototype(), path + "[]", paths);
  }
}

// Fills the structs from the merged tree and notes where each value came from.
class Binder {
 public:
  // complete: every file could be read; otherwise missing keys say nothing.
  Binder(const Section& root, ConfigResult& result, bool complete) : result_(result), complete_(complete) {
    CollectPaths(root, "", paths_);
  }

  std::map<std::string, std::string> where_of;  // leaf path -> place; absent: default

  void Bind(Section& section, const YamlNode* node, const std::string& prefix) {
    const size_t issues_before = result_.issues.size();
    if (node != nullptr && node->kind == YamlNode::Kind::kNull) node = nullptr;
    if (node != nullptr && !node->is_map()) {
      Report(node->where, fmt::format("\"{}\" is {}, expected a section", prefix, ShowYaml(*node)),
             "indent its keys below it", prefix);
      return;
    }
    if (node != nullptr) ReportUnknown(section, *node, prefix);
    for (const Section::Entry& entry : section.entries()) {
      BindEntry(entry, node == nullptr ? nullptr : node->Find(entry.key), Join(prefix, entry.key));
    }
    if (complete_ && result_.issues.size() == issues_before) RunChecks(section, node, prefix);
  }

 private:
  void BindEntry(const Section::Entry& entry, const YamlNode* node, const std::string& path) {
    if (entry.sub) return Bind(*entry.sub, node, path);
    if (entry.append) return BindList(entry, node, path);
    if (node == nullptr) {
      if (entry.info.required && complete_) {
        Report("configuration", fmt::format("missing key \"{}\", expected {}", path, TypeText(entry)),
               fmt::format("set it in a file or with {}=...   ({})", path, entry.info.help), Parent(path));
      }
      return;
    }
    where_of[path] = node->where;
    if (auto problem = AssignValue(entry, path, *node)) {
      Report(problem->where, problem->message, problem->hint, Parent(path));
    }
  }

  void BindList(const Section::Entry& entry, const YamlNode* node, const std::string& path) {
    if (node == nullptr) return;
    if (node->kind != YamlNode::Kind::kList || node->items.size() > Section::kMaxListItems) {
      Report(node->where,
             fmt::format("\"{}\" is {}, expected a list of at most {} sections", path, ShowYaml(*node),
                         Section::kMaxListItems),
             "start each one with \"- \"", Parent(path));
      return;
    }
    entry.clear();
    for (size_t i = 0; i < node->items.size(); ++i) {
      const auto element = entry.append();
      Bind(*element, &node->items[i], fmt::format("{}.{}", path, i));
    }
  }

  void ReportUnknown(const Section& section, const YamlNode& node, const std::string& prefix) {
    std::vector<std::string> known;
    for (const Section::Entry& entry : section.entries()) known.push_back(entry.key);
    for (const YamlEntry& given : node.entries) {
      if (std::count(known.begin(), known.end(), given.key) > 0) continue;
      std::string suggestion = Nearest(given.key, known);
      if (!suggestion.empty()) {
        suggestion = Join(prefix, suggestion);
      } else {
        suggestion = Elsewhere(given.key);
      }
      std::string hint = suggestion.empty() ? "" : fmt::format("did you mean \"{}\"?   ", suggestion);
      hint += fmt::format("(known keys here: {})", fmt::join(known, ", "));
      Report(given.where, fmt::format("unknown key \"{}\"", Printable(Join(prefix, given.key))), hint,
             prefix);
    }
  }

  // A key that exists, but in another section, or one that was written with dots.
  std::string Elsewhere(const std::string& key) const {
    for (const std::string& path : paths_) {
      if (path == key || path.ends_with("." + key)) return path;
    }
    return key.find('.') == key.npos ? "" : Nearest(key, paths_);
  }

  void RunChecks(const Section& section, const YamlNode* node, const std::string& prefix) {
    for (const auto& rule : section.checks()) {
      const std::string message = rule();
      if (message.empty()) continue;
      std::vector<std::string> concerned;
      std::string first_place;
      MentionedKeys(section, prefix, message, concerned, first_place);
      if (first_place.empty() && node != nullptr) first_place = node->where;
      Report(first_place.empty() ? "configuration" : first_place,
             prefix.empty() ? message : fmt::format("in \"{}\": {}", prefix, message),
             concerned.empty() ? "" : fmt::format("{}", fmt::join(concerned, "\n")), prefix);
    }
  }

  // Keys of the section whose names stand in the message as whole words, with value and place.
  void MentionedKeys(const Section& section, const std::string& prefix, const std::string& message,
                     std::vector<std::string>& lines, std::string& first_place) const {
    for (const Section::Entry& entry : section.entries()) {
      const std::string path = Join(prefix, entry.key);
      if (entry.sub) MentionedKeys(*entry.sub, path, message, lines, first_place);
      if (entry.sub || entry.append || !HasWord(message, entry.key)) continue;
      const auto found = where_of.find(path);
      const std::string where = found == where_of.end() ? "default" : found->second;
      if (first_place.empty() && found != where_of.end()) first_place = where;
      lines.push_back(fmt::format("{} = {}   ({})", path, TextOf(entry.target), where));
    }
  }

  static bool HasWord(const std::string& text, const std::string& word) {
    const auto inside = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
      const size_t end = at + word.size();
      if ((at == 0 || !inside(text[at - 1])) && (end == text.size() || !inside(text[end]))) return true;
    }
    return false;
  }

  static std::string Parent(const std::string& path) {
    const size_t dot = path.rfind('.');
    return dot == path.npos ? "" : path.substr(0, dot);
  }

  void Report(const std::string& where, std::string message, std::string hint, const std::string& section) {
    std::string name = section.substr(0, section.find('.'));
    if (!hint.empty()) hint += '\n';
    hint += fmt::format("set by: {}   run `graticule config explain{}` for help", SourceOf(where),
                        name.empty() ? "" : " " + name);
    result_.issues.push_back({where, std::move(message), std::move(hint)});
  }

  // "configs/a.yaml" of "configs/a.yaml:14:3".
  static std::string SourceOf(const std::string& where) {
    std::string source = where;
    for (int i = 0; i < 2; ++i) {
      const size_t colon = source.rfind(':');
      if (colon == source.npos || source.find_first_not_of("0123456789", colon + 1) != source.npos)
        return where;
      source.resize(colon);
    }
    return source;
  }

  ConfigResult& result_;
  const bool complete_;
  std::vector<std::string> paths_;
};

// Writes resolved.yaml, the origins and the text under the hash, in schema order.
class Emitter {
 public:
  Emitter(const std::map<std::string, std::string>& where_of, ConfigResult& result)
      : where_of_(where_of), result_(result) {}

  std::string hashed = "graticule configuration 1\n";

  void Emit(const Section& section, const std::string& prefix, const std::string& indent) {
    std::string first = indent;
    for (const Section::Entry& entry : section.entries()) {
      const std::string path = Join(prefix, entry.key);
      const std::string start = first + entry.key + ":";
      first = std::string(indent.size(), ' ');  // only the first key follows the "- " of a list
      if (entry.sub) {
        result_.resolved_yaml += start + (entry.sub->entries().empty() ? " {}\n" : "\n");
        Emit(*entry.sub, path, first + "  ");
      } else if (entry.items) {
        const auto items = entry.items();
        result_.resolved_yaml += start + (items.empty() ? " []\n" : "\n");
        for (size_t i = 0; i < items.size(); ++i)
          Emit(*items[i], fmt::format("{}.{}", path, i), first + "  - ");
        if (entry.info.on_resume != OnResume::kFree) hashed += fmt::format("{} has {}\n", path, items.size());
      } else {
        EmitLeaf(entry, path, start);
      }
    }
  }

 private:
  void EmitLeaf(const Section::Entry& entry, const std::string& path, const std::string& start) {
    const std::string text = TextOf(entry.target);
    const auto found = where_of_.find(path);
    const std::string where = found == where_of_.end() ? "default" : found->second;
    result_.origins.push_back({path, text, where});
    result_.resolved_yaml += start + " " + text;
    if (found != where_of_.end()) result_.resolved_yaml += "  # " + Printable(where);
    result_.resolved_yaml += '\n';
    if (entry.info.on_resume != OnResume::kFree) hashed += path + "=" + text + "\n";
  }

  const std::map<std::string, std::string>& where_of_;
  ConfigResult& result_;
};

}  // namespace

void ConfigResult::ThrowIfBad() const {
  if (issues.empty()) return;
  std::string text;
  for (const ConfigIssue& issue : issues) {
    text += fmt::format("\n{}: {}", issue.where, issue.message);
    for (size_t at = 0; at < issue.hint.size();) {
      const size_t end = std::min(issue.hint.find('\n', at), issue.hint.size());
      text += "\n   " + issue.hint.substr(at, end - at);
      at = end + 1;
    }
  }
  throw Error(ErrorCode::kUsage, fmt::format("{} mistake{} in the configuration{}", issues.size(),
                                             issues.size() == 1 ? "" : "s", text));
}

ConfigResult ResolveConfig(Section& root, const std::vector<std::string>& files,
                           const std::vector<std::string>& overrides) {
  ConfigResult result;
  YamlNode merged{.kind = YamlNode::Kind::kMap};
  for (const std::string& file : files) {
    YamlNode tree = ParseYamlFile(file, result.issues);
    if (tree.kind == YamlNode::Kind::kScalar || tree.kind == YamlNode::Kind::kList) {
      result.issues.push_back({tree.where, fmt::format("found {}, expected sections", ShowYaml(tree)), ""});
      continue;
    }
    MergeYaml(merged, std::move(tree), &root);
  }
  const bool complete = result.issues.empty();
  ApplyOverrides(merged, overrides, root, result.issues);
  Binder binder(root, result, complete);
  binder.Bind(root, &merged, "");
  if (!result.issues.empty()) return result;
  Emitter emitter(binder.where_of, result);
  emitter.Emit(root, "", "");
  result.hash = Sha256Hex(emitter.hashed);
  return result;
}

}  // namespace graticule
