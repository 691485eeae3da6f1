#include "launch/submit_script.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace graticule {

std::string ShellQuote(const std::string& word) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) || std::string_view("_-./=:,@%+").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

std::string SubmitScript(const SubmitOptions& o) {
  std::string s = "#!/bin/bash\n";
  const auto directive = [&s](const std::string& text) { s += "#SBATCH " + text + "\n"; };
  directive("--job-name=" + o.job_name);
  if (!o.partition.empty()) directive("--partition=" + o.partition);
  if (!o.account.empty()) directive("--account=" + o.account);
  if (!o.qos.empty()) directive("--qos=" + o.qos);
  directive(fmt::format("--nodes={}", o.nodes));
  directive(fmt::format("--ntasks-per-node={}", o.ranks_per_node));
  if (o.gpus) directive(fmt::format("--gpus-per-node={}", o.ranks_per_node));
  directive(fmt::format("--cpus-per-task={}", o.cpus_per_rank));
  directive("--time=" + o.time);
  directive(fmt::format("--signal=B:USR2@{}", o.lead_s));
  directive("--requeue");
  directive("--open-mode=append");
  directive("--output=" + o.run_dir + "/slurm-%j.out");

  std::vector<std::string> words;
  for (const std::string& word : o.train_arguments) words.push_back(ShellQuote(word));
  s += fmt::format(R"(
set -u
run={run}
job=$SLURM_JOB_ID
if [[ -n ${{SLURM_ARRAY_JOB_ID:-}} ]]; then job=${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}; fi
export GRATICULE_ATTEMPT="${{SLURM_JOB_ID}}_${{SLURM_ARRAY_TASK_ID:-0}}_${{SLURM_RESTART_COUNT:-0}}"
export NCCL_RAS_ENABLE=0 NCCL_DEBUG="${{NCCL_DEBUG:-WARN}}"
)",
                   fmt::arg("run", ShellQuote(o.run_dir)));
  for (const std::string& line : o.environment) {
    const size_t equals = line.find('=');
    s += fmt::format("export {}={}\n", line.substr(0, equals),
                     ShellQuote(equals == std::string::npos ? "" : line.substr(equals + 1)));
  }
  s += fmt::format(R"(mkdir -p "$run"

mpirun -np {ranks} --map-by ppr:{per_node}:node:PE={cpus} \
  {graticule} train {arguments} &
mpirun_pid=$!

# The warning signal reaches only this shell. mpirun passes it on to every rank, and the ranks write a
# checkpoint and leave with 75. `wait` returns early when a trap runs, so wait again for the real exit code.
warned=0
trap 'warned=1; kill -USR2 "$mpirun_pid"' USR2
wait "$mpirun_pid"; code=$?
while ((warned)); do warned=0; wait "$mpirun_pid"; code=$?; done

# mpirun's code cannot be trusted after a lost node: the run folder knows how the run ended.
decision=$({graticule} status --decide "$run" --attempt "$GRATICULE_ATTEMPT" --code "$code")
echo "exit code $code: $decision"
case $decision in
  done) exit 0 ;;
  requeue) scontrol requeue "$job" && exit 0 ;;
esac
exit "$code"
)",
                   fmt::arg("ranks", o.nodes * o.ranks_per_node), fmt::arg("per_node", o.ranks_per_node),
                   fmt::arg("cpus", o.cpus_per_rank), fmt::arg("graticule", ShellQuote(o.graticule)),
                   fmt::arg("arguments", fmt::join(words, " ")));
  return s;
}

}  // namespace graticule
