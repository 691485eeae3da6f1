#include "launch/verbs/train.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "base/config/resolve.h"
#include "base/error.h"
#include "base/json_row.h"
#include "launch/launch_rank.h"
#include "launch/options.h"
#include "launch/submit_script.h"
#include "trainer/comm/mpi_loader.h"
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

std::string PrintConfig(const TrainCommand& command) {
  std::string yaml = command.resolved.resolved_yaml;
  if (command.json) return ToJson({{"resolved_yaml", yaml}, {"hash", command.resolved.hash}});
  if (yaml.ends_with('\n')) yaml.pop_back();
  return yaml;
}

std::string DryRun(const TrainCommand& command) {
  return command.json ? DryRunJson(command.config, LaunchSize()) : DryRunText(command.config, LaunchSize());
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
  if (options.Has("print-config") || options.Has("dry-run")) {
    if (LaunchRank() == 0)
      fmt::print("{}\n", options.Has("dry-run") ? DryRun(command) : PrintConfig(command));
    return 0;
  }
  const TrainConfig& train = command.config.train;
  AccumulationSteps(train, LaunchSize());
  RefuseUnconnectedTasks();
  PrepareArithmetic(train.precision, train.device);
  TrainBegin begin;
  if (LaunchRank() == 0) begin = BeginTraining(command);
  return RunInWorld(
      {.device = train.device, .timeout_s = command.config.comm.timeout_s, .json = command.json},
      [&](World& world) { return TrainCollective(command, std::move(begin), world); });
}

}  // namespace

Verb TrainVerb() {
  return {"train", "train a model (under mpirun: one process per GPU)",
          [](const std::vector<std::string>& arguments) {
            return SpeakAsFirstRank([&] { return Train(arguments); });
          }};
}

}  // namespace graticule
