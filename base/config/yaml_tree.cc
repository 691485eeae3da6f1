#include "base/config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "base/fs.h"
#include "base/text.h"

namespace graticule {
namespace {

// Thrown through the parser to stop it; the issue is already recorded.
struct StopParsing {};

size_t CountNodes(const YamlNode& node) {
  size_t count = 1;
  for (const YamlNode& item : node.items) count += CountNodes(item);
  for (const YamlEntry& entry : node.entries) count += CountNodes(entry.value);
  return count;
}

size_t DepthOf(const YamlNode& node) {
  size_t depth = 0;
  for (const YamlNode& item : node.items) depth = std::max(depth, DepthOf(item));
  for (const YamlEntry& entry : node.entries) depth = std::max(depth, DepthOf(entry.value));
  return depth + 1;
}

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string source, bool positions, std::vector<ConfigIssue>& issues)
      : source_(std::move(source)), positions_(positions), issues_(issues) {}

  YamlNode TakeRoot() { return std::move(root_); }
  std::string Where(const YAML::Mark& mark) const {
    return positions_ ? fmt::format("{}:{}:{}", source_, mark.line + 1, mark.column + 1) : source_;
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) Stop(mark, "found a second document, expected one", "remove the line \"---\"");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Place(mark, anchor, {.kind = YamlNode::Kind::kNull, .where = Where(mark)});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Stop(mark, "found an alias inside of its own anchor", "write the value out");
    if (stack_.size() + found->second.depth > kMaxYamlDepth) StopForDepth(mark);
    nodes_ += found->second.nodes - 1;  // Place counts one
    // Checked before the copy: this is what keeps an alias bomb small.
    if (nodes_ > kMaxYamlNodes) StopForSize(mark);
    Place(mark, 0, found->second.node);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseTag(mark, tag);
    // The file is UTF-8 (CheckBytes), but yaml-cpp turns the escapes \N and \_ into single Latin-1 bytes.
    if (!IsUtf8(value)) {
      issues_.push_back({Where(mark), fmt::format("\"{}\" is not UTF-8", Printable(value)),
                         "write the characters themselves, or \\u0085 for \\N and \\u00a0 for \\_"});
    }
    Place(mark, anchor,
          {.kind = YamlNode::Kind::kScalar, .text = value, .quoted = tag == "!", .where = Where(mark)});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Level {
    YamlNode node;
    YAML::Mark mark;
    YAML::anchor_t anchor;
    bool has_key = false;
    bool drop_value = false;  // the key came before
    std::string key, key_where;
    std::map<std::string, std::string> seen;  // key -> where
  };
  struct Anchored {
    YamlNode node;
    size_t nodes, depth;
  };

  [[noreturn]] void Stop(const YAML::Mark& mark, std::string message, std::string hint) {
    issues_.push_back({Where(mark), std::move(message), std::move(hint)});
    throw StopParsing{};
  }
  [[noreturn]] void StopForDepth(const YAML::Mark& mark) {
    Stop(mark, fmt::format("found nesting deeper than {} levels", kMaxYamlDepth), "flatten the file");
  }
  [[noreturn]] void StopForSize(const YAML::Mark& mark) {
    Stop(mark, fmt::format("found more than {} values after expanding aliases", kMaxYamlNodes),
         "write fewer values or fewer aliases");
  }
  void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    issues_.push_back({Where(mark),
                       fmt::format("found the tag \"{}\", tags are not accepted", Printable(tag)),
                       "remove the tag; types follow from the key"});
  }
  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    RefuseTag(mark, tag);
    if (stack_.size() >= kMaxYamlDepth) StopForDepth(mark);
    stack_.push_back({.node = {.kind = kind, .where = Where(mark)}, .mark = mark, .anchor = anchor});
  }
  void Close() {
    Level level = std::move(stack_.back());
    stack_.pop_back();
    Place(level.mark, level.anchor, std::move(level.node));
  }
  void Place(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode node) {
    if (++nodes_ > kMaxYamlNodes) StopForSize(mark);
    if (anchor != 0) anchors_[anchor] = {node, CountNodes(node), DepthOf(node)};
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = stack_.back();
    if (level.node.kind == YamlNode::Kind::kList) {
      level.node.items.push_back(std::move(node));
    } else if (!level.has_key) {
      TakeKey(level, mark, node);
    } else {
      level.has_key = false;
      if (!level.drop_value) {
        level.node.entries.push_back({std::move(level.key), std::move(level.key_where), std::move(node)});
      }
    }
  }
  void TakeKey(Level& level, const YAML::Mark& mark, const YamlNode& node) {
    level.has_key = true;
    level.drop_value = true;
    if (node.kind != YamlNode::Kind::kScalar) {
      issues_.push_back({Where(mark), fmt::format("found {} as a key, expected a name", ShowYaml(node)), ""});
      return;
    }
    const auto [first, is_new] = level.seen.emplace(node.text, Where(mark));
    if (!is_new) {
      issues_.push_back({Where(mark), fmt::format("key \"{}\" comes twice", Printable(node.text)),
                         "it was first given at " + first->second});
      return;
    }
    level.drop_value = false;
    level.key = node.text;
    level.key_where = Where(mark);
  }

  std::string source_;
  bool positions_;
  std::vector<ConfigIssue>& issues_;
  YamlNode root_;
  std::vector<Level> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  size_t nodes_ = 0;
  int documents_ = 0;
};

// Refuses what the parser would misread. True if the text may be parsed.
bool CheckBytes(std::string_view text, const std::string& source, bool positions,
                std::vector<ConfigIssue>& issues) {
  if (text.size() > kMaxYamlBytes) {
    issues.push_back(
        {source, fmt::format("found {} bytes, at most {} are accepted", text.size(), kMaxYamlBytes), ""});
    return false;
  }
  size_t line = 1;
  for (std::string_view rest = text; !rest.empty(); ++line) {
    const std::string_view row = rest.substr(0, std::min(rest.find('\n'), rest.size()));
    const bool has_nul = row.find('\0') != row.npos;
    if (has_nul || !IsUtf8(row)) {
      const char* what = has_nul ? "found a NUL byte" : "found bytes that are not UTF-8";
      issues.push_back(
          {positions ? fmt::format("{}:{}:1", source, line) : source, what, "save the file as UTF-8"});
      return false;
    }
    rest.remove_prefix(std::min(row.size() + 1, rest.size()));
  }
  return true;
}

}  // namespace

YamlNode* YamlNode::Find(std::string_view key) {
  for (YamlEntry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

const YamlNode* YamlNode::Find(std::string_view key) const { return const_cast<YamlNode*>(this)->Find(key); }

YamlNode ParseYaml(std::string_view text, const std::string& source, bool positions,
                   std::vector<ConfigIssue>& issues) {
  if (!CheckBytes(text, source, positions, issues)) return {};
  TreeBuilder builder(source, positions, issues);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const StopParsing&) {
  } catch (const YAML::Exception& error) {
    const std::string where = error.mark.is_null() ? source : builder.Where(error.mark);
    issues.push_back({where, "not valid YAML: " + Printable(error.msg), ""});
  }
  return builder.TakeRoot();
}

YamlNode ParseYamlFile(const std::string& path, std::vector<ConfigIssue>& issues) {
  try {
    return ParseYaml(ReadFileToString(path, kMaxYamlBytes), path, true, issues);
  } catch (const Error& error) {
    issues.push_back({path, error.message(), error.hint()});
    return {};
  }
}

std::string QuoteYaml(std::string_view text) {
  static const std::set<std::string_view> reserved = {"null", "Null",  "NULL",  "true",  "True",
                                                      "TRUE", "false", "False", "FALSE", "yes",
                                                      "no",   "on",    "off",   "y",     "n"};
  const auto letter = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const auto inner = [&](unsigned char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/';
  };
  const bool plain = !text.empty() && (letter(text[0]) || text[0] == '/') &&
                     std::all_of(text.begin(), text.end(), inner) && !reserved.contains(text);
  if (plain) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string ShowYaml(const YamlNode& node, size_t limit) {
  std::string text;
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "null";
    case YamlNode::Kind::kScalar:
      return node.quoted ? '"' + Printable(node.text, limit) + '"' : Printable(node.text, limit);
    case YamlNode::Kind::kList:
      text = "[";
      for (const YamlNode& item : node.items) {
        if (text.size() > limit) return text + ", ...]";
        text += (text.size() > 1 ? ", " : "") + ShowYaml(item, limit);
      }
      return text + "]";
    case YamlNode::Kind::kMap:
      text = "{";
      for (const YamlEntry& entry : node.entries) {
        if (text.size() > limit) return text + ", ...}";
        text +=
            (text.size() > 1 ? ", " : "") + Printable(entry.key, limit) + ": " + ShowYaml(entry.value, limit);
      }
      return text + "}";
  }
  return text;
}

}  // namespace graticule
