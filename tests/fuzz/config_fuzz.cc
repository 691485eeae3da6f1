// Input: lines that start with '>' are overrides, the rest is a YAML file. Whatever resolves must resolve to
// the same values again from its own resolved.yaml.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <sstream>

#include "base/config/resolve.h"
#include "base/error.h"
#include "base/fs.h"

namespace graticule {
namespace {

struct Item {
  std::string name;
  double weight = 1;
  void Bind(Section& s) {
    s.Field("name", &name, {.help = "name", .required = true});
    s.Field("weight", &weight, {.help = "weight", .min = 0, .max = 10});
  }
};

struct Part {
  std::string kind = "a";
  std::optional<double> limit;
  std::vector<double> numbers = {1, 2};
  void Bind(Section& s) {
    s.Choice("kind", &kind, {"a", "b"}, "kind");
    s.Field("limit", &limit, {.help = "limit"});
    s.Field("numbers", &numbers, {.help = "numbers"});
    s.Check(
        [this]() -> std::string { return numbers.size() > 3 ? "numbers are too many for this kind" : ""; });
  }
};

struct Root {
  Part part;
  bool flag = false;
  int64_t count = 3;
  std::string text = "x";
  std::vector<std::string> texts;
  std::map<std::string, double> map = {{"k", 1}};
  std::vector<Item> items;
  Section section;
  Root() {
    section.Sub("part", &part).Field("flag", &flag).Field("count", &count, {.min = -5, .max = 1e15});
    section.Field("text", &text).Field("texts", &texts).Field("map", &map).List("items", &items);
  }
};

ConfigResult Resolve(const std::string& text, const std::vector<std::string>& overrides) {
  // In memory where there is a memory file system: a disk would be the bottleneck.
  static const std::string path =
      (::access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz_config_" : "fuzz_config_") +
      std::to_string(::getpid());
  auto file = PosixFs().Create(path);
  file->Append(text);
  file->Close();
  Root root;
  ConfigResult result = ResolveConfig(root.section, {path}, overrides);
  PosixFs().Remove(path);
  return result;
}

}  // namespace
}  // namespace graticule

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  std::string yaml, line;
  std::vector<std::string> overrides;
  std::istringstream lines(std::string(reinterpret_cast<const char*>(data), size));
  while (std::getline(lines, line)) {
    if (!line.empty() && line[0] == '>') {
      overrides.push_back(line.substr(1));
    } else {
      yaml += line + "\n";
    }
  }
  const ConfigResult first = Resolve(yaml, overrides);
  if (!first.issues.empty()) {
    try {
      first.ThrowIfBad();
    } catch (const Error&) {
    }
    return 0;
  }
  const ConfigResult second = Resolve(first.resolved_yaml, {});
  if (!second.issues.empty() || second.hash != first.hash) __builtin_trap();
  return 0;
}
