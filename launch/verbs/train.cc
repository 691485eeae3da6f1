#include "launch/verbs/train.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/config/resolve.h"
#include "base/error.h"
#include "launch/launch_rank.h"
#include "launch/options.h"
#include "launch/submit_script.h"
#include "trainer/comm/world.h"
#include "trainer/run/dry_run.h"
#include "trainer/run/train_command.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

std::vector<std::string> Overrides(const Options& options) {
  std::vector<std::string> overrides = options.Words("override");
  for (const std::string& word : overrides) {
    if (word.find('=') != std::string::npos) continue;
    throw Error(ErrorCode::kUsage, fmt::format("found \"{}\", expected key=value", word), "",
                "configuration files are named with --config FILE");
  }
  return overrides;
}

int Train(const std::vector<std::string>& arguments) {
  Options options(
      "graticule train --config FILE... [key=value...]",
      "Trains a model, or goes on with the run that lies in run.dir. Under mpirun: one process per GPU.");
  options.visible().add_options()("config", po::value<std::vector<std::string>>()->composing(),
                                  "configuration file (repeatable; later ones win)")(
      "fresh", "refuse to go on with an existing run")(
      "take-lock", "take the run folder from another process")("print-config",
                                                               "print the resolved configuration and stop")(
      "dry-run", "print parameters, memory and steps, and stop");
  options.Positional("override", "key=value");
  if (!options.Parse(arguments)) return 0;

  TrainCommand command;
  Section root;
  command.config.Bind(root);
  command.resolved = ResolveConfig(root, options.Words("config"), Overrides(options));
  command.resolved.ThrowIfBad();
  command.root = &root;
  command.fresh = options.Has("fresh");
  command.take_lock = options.Has("take-lock");
  command.json = options.json();
  command.command_line = "graticule train";
  for (const std::string& word : arguments) {
    if (word != "--fresh" && word != "--take-lock") command.command_line += " " + ShellQuote(word);
  }
  if (options.Has("print-config")) {
    fmt::print("{}", command.resolved.resolved_yaml);
    return 0;
  }
  if (options.Has("dry-run")) {
    const std::string text = options.json() ? DryRunJson(command.config) + "\n" : DryRunText(command.config);
    fmt::print("{}", text);
    return 0;
  }
  PrepareArithmetic(command.config.train.precision, command.config.train.device);
  return RunInWorld({.device = command.config.train.device, .timeout_s = command.config.comm.timeout_s},
                    [&](World& world) { return TrainCollective(command, world); });
}

}  // namespace

Verb TrainVerb() {
  return {"train", "train a model (under mpirun: one process per GPU)",
          [](const std::vector<std::string>& arguments) {
            return SpeakAsFirstRank([&] { return Train(arguments); });
          }};
}

}  // namespace graticule
