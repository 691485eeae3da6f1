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

// Whether a changed value stops a resume (CONTRACTS 7): fixed fields must match the checkpoint.
enum class OnResume : uint8_t { kFree, kWarn, kFixed };

struct FieldInfo {
  std::string help;
  std::string unit;                                          // "s", "km", "samples", ...
  double min = -std::numeric_limits<double>::infinity();     // inclusive
  double max = std::numeric_limits<double>::infinity();      // inclusive
  bool required = false;
  OnResume on_resume = OnResume::kFixed;
};

class Section {
 public:
  // Where a field's value goes. Lists replace, maps merge.
  using Target = std::variant<bool*, int64_t*, double*, std::string*, std::optional<double>*, std::vector<std::string>*,
                              std::vector<double>*, std::vector<int64_t>*, std::map<std::string, double>*>;
  struct Entry {
    std::string key;
    FieldInfo info;
    Target target;
    std::vector<std::string> choices;            // non-empty: the value must be one of these
    std::shared_ptr<Section> sub;                // a nested map instead of a value
    std::function<std::shared_ptr<Section>()> append;  // a list of maps: binds one more element
    std::function<void()> clear;
  };

  template <typename T>
  Section& Field(std::string key, T* target, FieldInfo info = {}) {
    entries_.push_back({std::move(key), std::move(info), Target(target), {}, nullptr, nullptr, nullptr});
    return *this;
  }
  Section& Choice(std::string key, std::string* target, std::vector<std::string> choices, std::string help,
                  OnResume on_resume = OnResume::kFixed);
  // A nested map bound by its own struct.
  template <typename Struct>
  Section& Sub(std::string key, Struct* part, std::string help = "") {
    auto sub = std::make_shared<Section>();
    part->Bind(*sub);
    entries_.push_back({std::move(key), {.help = std::move(help)}, Target((bool*)nullptr), {}, sub, nullptr, nullptr});
    return *this;
  }
  // A list of maps, each element bound by its own struct.
  template <typename Struct>
  Section& List(std::string key, std::vector<Struct>* list, std::string help = "") {
    Entry e{std::move(key), {.help = std::move(help)}, Target((bool*)nullptr), {}, nullptr, nullptr, nullptr};
    e.clear = [list] { list->clear(); list->reserve(256); };  // at most 256 elements: pointers stay valid
    e.append = [list] { list->emplace_back(); auto sub = std::make_shared<Section>(); list->back().Bind(*sub); return sub; };
    entries_.push_back(std::move(e));
    return *this;
  }
  // Cross-field rule, run after all values are in; a non-empty result is an error message.
  Section& Check(std::function<std::string()> rule);

  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<std::function<std::string()>>& checks() const { return checks_; }

 private:
  std::vector<Entry> entries_;
  std::vector<std::function<std::string()>> checks_;
};

}  // namespace graticule
