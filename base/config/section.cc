#include "base/config/section.h"

#include <algorithm>

#include "base/config/value.h"
#include "base/error.h"

namespace graticule {

Section& Section::Add(Entry entry) {
  GRATICULE_CHECK(
      std::none_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == entry.key; }),
      entry.key);
  entry.default_text = TextOf(entry.target);
  entries_.push_back(std::move(entry));
  return *this;
}

Section& Section::Choice(std::string key, std::string* target, std::vector<std::string> choices,
                         std::string help, OnResume on_resume) {
  return Add({.key = std::move(key),
              .info = {.help = std::move(help), .on_resume = on_resume},
              .target = Target(target),
              .choices = std::move(choices)});
}

Section& Section::Check(std::function<std::string()> rule) {
  checks_.push_back(std::move(rule));
  return *this;
}

}  // namespace graticule
