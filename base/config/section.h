// Typed configuration: a struct beside its owner binds its members to keys once, and from that one table come
// parsing, range checks, `--help`, `config explain`, resolved.yaml and the documentation. Defaults are the
// members' initial values; there is no other source of defaults.
//
//   struct OptimConfig {
//     std::string kind = "adamw";
//     double lr = 1e-4;
//     void Bind(Section& s) {
//       s.Choice("kind", &kind, {"adamw", "adam", "sgd"}, "which optimiser");
//       s.Field("lr", &lr, {.help = "peak learning rate", .min = 0});
//       s.Check([this]() -> std::string { return lr > 1 ? "lr above 1 never converges" : ""; });
//     }
//   };
//
// A Section refers to the struct's members: the struct must outlive it. Not thread-safe (start-up only).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace graticule {

// Whether a changed value stops a resume (docs/RUNS.md): fixed fields must match the checkpoint.
enum class OnResume : uint8_t { kFree, kWarn, kFixed };

struct FieldInfo {
  std::string help;
  std::string unit;                                       // "s", "km", "samples", ...
  double min = -std::numeric_limits<double>::infinity();  // inclusive
  double max = std::numeric_limits<double>::infinity();   // inclusive
  bool required = false;
  OnResume on_resume = OnResume::kFixed;
};

class Section {
 public:
  // Where a field's value goes. Lists replace, maps merge.
  using Target = std::variant<std::monostate, bool*, int64_t*, double*, std::string*, std::optional<double>*,
                              std::vector<std::string>*, std::vector<double>*, std::vector<int64_t>*,
                              std::map<std::string, double>*>;
  struct Entry {
    std::string key;
    FieldInfo info;
    Target target;
    std::vector<std::string> choices = {};  // non-empty: the value must be one of these
    std::string default_text = {};          // the initial value as YAML, taken when bound
    std::shared_ptr<Section> sub = {};      // a nested map instead of a value
    // A list of maps instead of a value: empty it, bind one more element, bind the elements that are there,
    // and bind an element of nobody (it lives as long as the section) to read the keys from.
    std::function<void()> clear = {};
    std::function<std::shared_ptr<Section>()> append = {};
    std::function<std::vector<std::shared_ptr<Section>>()> items = {};
    std::function<std::shared_ptr<Section>()> prototype = {};
  };
  static constexpr size_t kMaxListItems = 256;

  template <typename T>
  Section& Field(std::string key, T* target, FieldInfo info = {}) {
    return Add({.key = std::move(key), .info = std::move(info), .target = Target(target)});
  }
  Section& Choice(std::string key, std::string* target, std::vector<std::string> choices, std::string help,
                  OnResume on_resume = OnResume::kFixed);
  // A nested map bound by its own struct.
  template <typename Struct>
  Section& Sub(std::string key, Struct* part, std::string help = "") {
    Entry e{.key = std::move(key), .info = {.help = std::move(help)}, .sub = BindNew(part)};
    return Add(std::move(e));
  }
  // A list of maps, each element bound by its own struct. Given in a file it replaces the default elements.
  template <typename Struct>
  Section& List(std::string key, std::vector<Struct>* list, std::string help = "") {
    Entry e{.key = std::move(key), .info = {.help = std::move(help)}};
    list->reserve(kMaxListItems);  // elements never move: sections point into them
    e.clear = [list] { list->clear(); };
    e.append = [list] { return BindNew(&list->emplace_back()); };
    e.items = [list] {
      std::vector<std::shared_ptr<Section>> sections;
      for (Struct& element : *list) sections.push_back(BindNew(&element));
      return sections;
    };
    e.prototype = [] {
      auto element = std::make_shared<Struct>();
      auto section = BindNew(element.get());
      section->owned_ = element;
      return section;
    };
    return Add(std::move(e));
  }
  // Cross-field rule, run after all values are in; a non-empty result is an error message. Keys of this
  // section that the message names are shown to the user with the place that set them.
  Section& Check(std::function<std::string()> rule);

  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<std::function<std::string()>>& checks() const { return checks_; }

 private:
  template <typename Struct>
  static std::shared_ptr<Section> BindNew(Struct* part) {
    auto section = std::make_shared<Section>();
    part->Bind(*section);
    return section;
  }
  Section& Add(Entry entry);

  std::vector<Entry> entries_;
  std::vector<std::function<std::string()>> checks_;
  std::shared_ptr<void> owned_;
};

}  // namespace graticule
