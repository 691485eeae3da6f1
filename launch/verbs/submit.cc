#include "launch/verbs/submit.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "base/config/resolve.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "launch/options.h"
#include "launch/submit_script.h"
#include "trainer/config/root_config.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

void Describe(po::options_description& options) {
  options.add_options()("config", po::value<std::vector<std::string>>()->composing(),
                        "configuration file (repeatable)")(
      "run", po::value<std::string>(), "run folder, as run.dir of the configuration (required)")(
      "dry-run", "print the script and submit nothing")("job-name", po::value<std::string>(),
                                                        "job name (default: name of the run folder)")(
      "partition", po::value<std::string>()->default_value(""), "partition")(
      "account", po::value<std::string>()->default_value(""), "account")(
      "qos", po::value<std::string>()->default_value(""), "quality of service")(
      "time", po::value<std::string>()->default_value("24:00:00"),
      "time limit of one segment, HH:MM:SS or D-HH:MM:SS")("nodes", po::value<int>()->default_value(1),
                                                           "nodes")(
      "gpus-per-node", po::value<int>()->default_value(1), "ranks per node, one per GPU")(
      "cpu", "CPU ranks: ask for no GPUs")("cpus-per-rank", po::value<int>()->default_value(8),
                                           "cores per rank")("lead", po::value<int>()->default_value(300),
                                                             "seconds of warning before the time limit")(
      "env", po::value<std::vector<std::string>>()->composing(), "NAME=value for the ranks (repeatable)")(
      "program", po::value<std::string>()->default_value("graticule"), "graticule as seen on the nodes");
}

int AtLeastOne(const Options& options, const char* name) {
  const int value = options.Get<int>(name);
  if (value < 1) throw Error(ErrorCode::kUsage, fmt::format("--{} is {}, expected at least 1", name, value));
  return value;
}

// Of HH:MM:SS or D-HH:MM:SS.
int64_t SecondsOf(const std::string& time) {
  int days = 0, hours = 0, minutes = 0, seconds = 0;
  if (std::sscanf(time.c_str(), "%d-%d:%d:%d", &days, &hours, &minutes, &seconds) != 4) {
    days = 0;
    std::sscanf(time.c_str(), "%d:%d:%d", &hours, &minutes, &seconds);
  }
  return ((int64_t{days} * 24 + hours) * 60 + minutes) * 60 + seconds;
}

SubmitOptions Read(const Options& options) {
  SubmitOptions o;
  if (!options.Has("run"))
    throw Error(ErrorCode::kUsage, "--run is missing", "", "Name the run folder, e.g. --run runs/b32-osv5m.");
  o.run_dir = options.Get<std::string>("run");
  const auto name = std::filesystem::path(o.run_dir).filename().string();
  o.job_name =
      options.Has("job-name") ? options.Get<std::string>("job-name") : (name.empty() ? "graticule" : name);
  for (const std::string* word : {&o.run_dir, &o.job_name}) {
    if (word->find_first_of(" \t\n\"'") == std::string::npos) continue;
    throw Error(ErrorCode::kUsage,
                fmt::format("\"{}\" holds blanks or quotes, which #SBATCH lines cannot", *word), "",
                "choose another --run or --job-name");
  }
  o.partition = options.Get<std::string>("partition");
  o.account = options.Get<std::string>("account");
  o.qos = options.Get<std::string>("qos");
  o.time = options.Get<std::string>("time");
  if (!std::regex_match(o.time, std::regex(R"((\d+-)?\d{1,2}:\d{2}:\d{2})"))) {
    throw Error(ErrorCode::kUsage, fmt::format("--time is \"{}\", expected HH:MM:SS or D-HH:MM:SS", o.time));
  }
  o.nodes = AtLeastOne(options, "nodes");
  o.ranks_per_node = AtLeastOne(options, "gpus-per-node");
  o.cpus_per_rank = AtLeastOne(options, "cpus-per-rank");
  o.lead_s = AtLeastOne(options, "lead");
  if (o.lead_s >= SecondsOf(o.time)) {
    throw Error(ErrorCode::kUsage, fmt::format("--lead {} is not below --time {}", o.lead_s, o.time), "",
                "the warning must come before the time limit");
  }
  o.gpus = !options.Has("cpu");
  o.environment = options.Words("env");
  for (const std::string& line : o.environment) {
    if (!std::regex_search(line, std::regex("^[A-Za-z_][A-Za-z0-9_]*="))) {
      throw Error(ErrorCode::kUsage, fmt::format("--env \"{}\", expected NAME=value", line));
    }
  }
  o.graticule = options.Get<std::string>("program");
  const auto configs = options.Words("config");
  if (configs.empty())
    throw Error(ErrorCode::kUsage, "--config is missing", "", "Name at least one configuration file.");
  for (const std::string& config : configs) {
    if (!std::filesystem::exists(config))
      throw Error(ErrorCode::kUsage, "there is no such configuration file", config);
    o.train_arguments.insert(o.train_arguments.end(), {"--config", config});
  }
  o.train_arguments.push_back("run.dir=" + o.run_dir);
  std::vector<std::string> overrides = {"run.dir=" + o.run_dir};
  for (const std::string& word : options.Words("overrides")) {
    overrides.push_back(word);
    o.train_arguments.push_back(word);
  }
  // A mistake found now costs no place in the queue.
  RootConfig config;
  Section root;
  config.Bind(root);
  ResolveConfig(root, configs, overrides).ThrowIfBad();
  return o;
}

// The script stays in the run folder as job.sbatch. Returns the job id.
std::string Submit(const std::string& run_dir, const std::string& script) {
  PosixFs().MakeDirs(run_dir);  // sbatch opens the log before the job starts
  const std::string path = JoinPath(run_dir, "job.sbatch");
  WriteFileAtomically(PosixFs(), path, script);
  FILE* sbatch = popen(("sbatch --parsable " + ShellQuote(path)).c_str(), "r");
  if (!sbatch)
    throw Error(ErrorCode::kUsage, "cannot start sbatch", "", "Use --dry-run on a machine without SLURM.");
  std::string said;
  for (int c; (c = fgetc(sbatch)) != EOF;) said += static_cast<char>(c);
  const int status = pclose(sbatch);
  if (status != 0) {
    throw Error(ErrorCode::kUsage,
                fmt::format("sbatch refused the script (exit code {})", WEXITSTATUS(status)), path,
                "Look at it; --dry-run prints it without submitting.");
  }
  return said.substr(0, said.find_first_of(";\n"));  // "id;cluster" on federations
}

int Run(const std::vector<std::string>& arguments) {
  Options options("graticule submit --config FILE... --run DIR [options] [key=value...]",
                  "Submits a SLURM job that trains under mpirun: it writes a checkpoint when its time runs "
                  "out, or when it is\n"
                  "preempted on a site that signals jobs first (preempt_send_user_signal), and requeues "
                  "itself until the\n"
                  "run is finished. --dry-run prints the script.");
  Describe(options.visible());
  options.Positional("overrides", "dotted overrides, e.g. optim.lr=3e-4");
  if (!options.Parse(arguments)) return 0;
  const SubmitOptions submit = Read(options);
  const std::string script = SubmitScript(submit);
  if (options.Has("dry-run")) {
    if (options.json())
      fmt::print("{}\n", JsonText(nlohmann::json{{"script", script}}));
    else
      fmt::print("{}", script);
    return 0;
  }
  const std::string job = Submit(submit.run_dir, script);
  if (options.json())
    fmt::print("{}\n", JsonText(nlohmann::json{{"job", job}, {"run", submit.run_dir}}));
  else
    fmt::print("submitted job {}; its script and log lie in {}\n", job, submit.run_dir);
  return 0;
}

}  // namespace

Verb SubmitVerb() { return {"submit", "train on a SLURM cluster, with requeue", Run}; }

}  // namespace graticule
