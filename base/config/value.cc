#include "base/config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace graticule {
namespace {

using Kind = YamlNode::Kind;

std::optional<double> ParseDouble(const YamlNode& node) {
  if (node.kind != Kind::kScalar || node.quoted) return std::nullopt;
  std::string_view text = node.text;
  if (text == ".inf" || text == "+.inf") return std::numeric_limits<double>::infinity();
  if (text == "-.inf") return -std::numeric_limits<double>::infinity();
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseInt(const YamlNode& node) {
  if (node.kind != Kind::kScalar || node.quoted) return std::nullopt;
  std::string_view text = node.text;
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string TextOf(double value) {
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  return fmt::format("{}", value);  // the shortest text that reads back to the same bits
}

// A bound of an integer field reads better without a decimal point or exponent.
std::string BoundText(double bound) {
  if (std::fabs(bound) < 1e15 && bound == std::trunc(bound))
    return fmt::format("{}", static_cast<int64_t>(bound));
  return TextOf(bound);
}

std::string RangeText(const FieldInfo& info) {
  const bool low = std::isfinite(info.min), high = std::isfinite(info.max);
  std::string text;
  if (low && high)
    text = fmt::format(" from {} to {}", BoundText(info.min), BoundText(info.max));
  else if (low)
    text = fmt::format(" >= {}", BoundText(info.min));
  else if (high)
    text = fmt::format(" <= {}", BoundText(info.max));
  if (!info.unit.empty()) text += " (in " + info.unit + ")";
  return text;
}

std::string_view TypeName(const Section::Target& target) {
  static constexpr std::string_view names[] = {
      "section",       "true or false",   "whole number",          "number",        "text", "number or null",
      "list of texts", "list of numbers", "list of whole numbers", "map of numbers"};
  return names[target.index()];
}

std::string_view KindName(const YamlNode& node) {
  switch (node.kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return node.quoted ? "text" : "a value";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "";
}

// Walks one field; every method returns a problem or nothing.
class Assigner {
 public:
  Assigner(const Section::Entry& entry, const std::string& path) : entry_(entry), path_(path) {}

  std::optional<ValueProblem> operator()(std::monostate, const YamlNode& node) { return WrongType(node); }
  std::optional<ValueProblem> operator()(bool* target, const YamlNode& node) {
    if (node.kind != Kind::kScalar || node.quoted || (node.text != "true" && node.text != "false")) {
      return WrongType(node);
    }
    *target = node.text == "true";
    return std::nullopt;
  }
  std::optional<ValueProblem> operator()(int64_t* target, const YamlNode& node) {
    const auto value = ParseInt(node);
    if (!value) {
      const auto number = ParseDouble(node);
      const bool whole = number && std::fabs(*number) < 9e15 && *number == std::trunc(*number);
      return WrongType(node, whole ? fmt::format("write {}", static_cast<int64_t>(*number)) : "");
    }
    *target = *value;
    return InRange(static_cast<double>(*value), node);
  }
  std::optional<ValueProblem> operator()(double* target, const YamlNode& node) {
    const auto value = ParseDouble(node);
    if (!value) return WrongType(node);
    *target = *value;
    return InRange(*value, node);
  }
  std::optional<ValueProblem> operator()(std::string* target, const YamlNode& node) {
    if (node.kind != Kind::kScalar) {
      return WrongType(node, node.kind == Kind::kNull ? "write \"\" for an empty text" : "");
    }
    *target = node.text;
    if (entry_.choices.empty() || std::count(entry_.choices.begin(), entry_.choices.end(), node.text) > 0) {
      return std::nullopt;
    }
    const std::string near = Nearest(node.text, entry_.choices);
    return ValueProblem{node.where,
                        fmt::format("\"{}\" is \"{}\", expected one of: {}", path_, Printable(node.text),
                                    fmt::join(entry_.choices, ", ")),
                        near.empty() ? "" : fmt::format("did you mean \"{}\"?", near)};
  }
  std::optional<ValueProblem> operator()(std::optional<double>* target, const YamlNode& node) {
    if (node.kind == Kind::kNull) {
      target->reset();
      return std::nullopt;
    }
    return (*this)(&target->emplace(), node);
  }
  template <typename T>
  std::optional<ValueProblem> operator()(std::vector<T>* target, const YamlNode& node) {
    if (node.kind != Kind::kList) {
      return WrongType(node, node.kind == Kind::kScalar ? fmt::format("write [{}]", ShowYaml(node)) : "");
    }
    target->clear();
    for (const YamlNode& item : node.items) {
      T value{};
      if (auto problem = (*this)(&value, item)) return problem;
      target->push_back(std::move(value));
    }
    return std::nullopt;
  }
  std::optional<ValueProblem> operator()(std::map<std::string, double>* target, const YamlNode& node) {
    if (node.kind != Kind::kMap) return WrongType(node);
    for (const YamlEntry& entry : node.entries) {
      if (auto problem = (*this)(&(*target)[entry.key], entry.value)) return problem;
    }
    return std::nullopt;
  }

 private:
  std::optional<ValueProblem> WrongType(const YamlNode& node, std::string hint = "") {
    const std::string found = node.kind == Kind::kScalar ? ShowYaml(node) : std::string(KindName(node));
    return ValueProblem{node.where, fmt::format("\"{}\" is {}, expected {}", path_, found, TypeText(entry_)),
                        std::move(hint)};
  }
  std::optional<ValueProblem> InRange(double value, const YamlNode& node) {
    const FieldInfo& info = entry_.info;
    if (value >= info.min && value <= info.max) return std::nullopt;
    return ValueProblem{
        node.where, fmt::format("\"{}\" is {}, expected {}", path_, ShowYaml(node), TypeText(entry_)), ""};
  }

  const Section::Entry& entry_;
  const std::string& path_;
};

struct TextMaker {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
  std::string operator()(const int64_t* v) const { return fmt::format("{}", *v); }
  std::string operator()(const double* v) const { return TextOf(*v); }
  std::string operator()(const std::string* v) const { return QuoteYaml(*v); }
  std::string operator()(const std::optional<double>* v) const { return *v ? TextOf(**v) : "null"; }
  template <typename T>
  std::string operator()(const std::vector<T>* v) const {
    std::string text = "[";
    for (const T& item : *v) text += (text.size() > 1 ? ", " : "") + (*this)(&item);
    return text + "]";
  }
  std::string operator()(const std::map<std::string, double>* v) const {
    std::string text = "{";
    for (const auto& [key, value] : *v)
      text += (text.size() > 1 ? ", " : "") + QuoteYaml(key) + ": " + TextOf(value);
    return text + "}";
  }
};

}  // namespace

std::optional<ValueProblem> AssignValue(const Section::Entry& entry, const std::string& path,
                                        const YamlNode& node) {
  Assigner assigner(entry, path);
  return std::visit([&](auto target) { return assigner(target, node); }, entry.target);
}

std::string TextOf(const Section::Target& target) { return std::visit(TextMaker{}, target); }

std::optional<std::string> CanonicalText(const Section::Entry& entry, const YamlNode& node) {
  const std::string path = entry.key;
  return std::visit(
      [&](auto target) -> std::optional<std::string> {
        if constexpr (std::is_same_v<decltype(target), std::monostate>) {
          return std::nullopt;
        } else {
          std::remove_pointer_t<decltype(target)> scratch{};
          if (Assigner(entry, path)(&scratch, node)) return std::nullopt;
          return TextMaker{}(&scratch);
        }
      },
      entry.target);
}

std::string TypeText(const Section::Entry& entry) {
  if (!entry.choices.empty()) return fmt::format("one of: {}", fmt::join(entry.choices, ", "));
  return std::string(TypeName(entry.target)) + RangeText(entry.info);
}

}  // namespace graticule
