#include "launch/verbs/config.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/config/resolve.h"
#include "base/error.h"
#include "base/json_text.h"
#include "launch/options.h"
#include "trainer/config/root_config.h"

namespace graticule {
namespace {

// Words without "=" are files, the others are overrides.
struct Sources {
  std::vector<std::string> files, overrides;
};

Sources Split(const std::vector<std::string>& words) {
  Sources sources;
  for (const std::string& word : words) {
    (word.find('=') == std::string::npos ? sources.files : sources.overrides).push_back(word);
  }
  return sources;
}

ConfigResult Resolve(RootConfig& config, const Sources& sources) {
  Section root;
  config.Bind(root);
  return ResolveConfig(root, sources.files, sources.overrides);
}

nlohmann::json Origins(const ConfigResult& result) {
  nlohmann::json fields = nlohmann::json::array();
  for (const ConfigOrigin& origin : result.origins) {
    fields.push_back({{"key", origin.key}, {"value", origin.value}, {"where", origin.where}});
  }
  return fields;
}

int Check(const std::vector<std::string>& arguments) {
  Options options("graticule config check FILE... [key=value...]",
                  "Loads configuration files and overrides and reports every mistake at once.");
  options.Positional("words", "configuration files and overrides");
  if (!options.Parse(arguments)) return 0;
  const Sources sources = Split(options.Words("words"));
  if (sources.files.empty()) throw Error(ErrorCode::kUsage, "name at least one configuration file");
  RootConfig config;
  const ConfigResult result = Resolve(config, sources);
  result.ThrowIfBad();
  if (options.json()) {
    fmt::print("{}\n", JsonText(nlohmann::json{{"ok", true}, {"hash", result.hash}}));
  } else {
    fmt::print("ok, configuration hash {}\n", result.hash.substr(0, 12));
  }
  return 0;
}

int ResolveVerb(const std::vector<std::string>& arguments) {
  Options options("graticule config resolve FILE... [key=value...]",
                  "Prints the whole configuration with every default filled in, as YAML that loads back.");
  options.Positional("words", "configuration files and overrides");
  if (!options.Parse(arguments)) return 0;
  RootConfig config;
  const ConfigResult result = Resolve(config, Split(options.Words("words")));
  result.ThrowIfBad();
  if (options.json()) {
    fmt::print("{}\n", JsonText(nlohmann::json{{"hash", result.hash}, {"fields", Origins(result)}}));
  } else {
    fmt::print("{}", result.resolved_yaml);
  }
  return 0;
}

// Whether `key` is `prefix` or lies below it.
bool Below(const std::string& key, const std::string& prefix) {
  return prefix.empty() || key == prefix || key.rfind(prefix + ".", 0) == 0;
}

int Explain(const std::vector<std::string>& arguments) {
  Options options(
      "graticule config explain [KEY] [FILE... key=value...]",
      "Lists configuration keys with type, default, unit and range; with files, also each value and\n"
      "where it was set. KEY is a section or a key, e.g. optim or optim.lr.");
  options.Positional("words", "key, configuration files and overrides");
  if (!options.Parse(arguments)) return 0;
  Sources sources = Split(options.Words("words"));
  std::string prefix;
  if (!sources.files.empty() && !std::filesystem::exists(sources.files[0])) {
    prefix = sources.files[0];
    sources.files.erase(sources.files.begin());
  }
  RootConfig config;
  Section root;
  config.Bind(root);
  const std::string description = DescribeConfig(root, prefix);
  if (description.empty()) {
    throw Error(ErrorCode::kUsage, fmt::format("\"{}\" is neither a configuration key nor a file", prefix),
                "", "`graticule config explain` lists every key.");
  }
  const bool with_values = !sources.files.empty() || !sources.overrides.empty();
  ConfigResult result;
  if (with_values) {
    result = ResolveConfig(root, sources.files, sources.overrides);
    result.ThrowIfBad();
  }
  if (options.json()) {
    fmt::print("{}\n", JsonText(nlohmann::json{{"description", description}, {"fields", Origins(result)}}));
    return 0;
  }
  fmt::print("{}", description);
  if (with_values) fmt::print("\nvalues\n");
  for (const ConfigOrigin& origin : result.origins) {
    if (Below(origin.key, prefix)) fmt::print("  {} = {}   ({})\n", origin.key, origin.value, origin.where);
  }
  return 0;
}

}  // namespace

std::vector<Verb> ConfigVerbs() {
  return {{"config check", "load a configuration, report every mistake", Check},
          {"config resolve", "print a configuration with all defaults", ResolveVerb},
          {"config explain", "list keys, or say where a value comes from", Explain}};
}

}  // namespace graticule
