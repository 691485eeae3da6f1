// The sbatch script that `graticule submit` writes: mpirun in the background, a warning signal turned into a
// checkpoint, and a requeue only where the run's status.json says that it makes sense. Pure text, no side
// effects.
#pragma once

#include <string>
#include <vector>

namespace graticule {

struct SubmitOptions {
  std::string run_dir;  // runs/<name>; the log goes here
  std::string job_name = "graticule";
  std::string partition, account, qos;  // empty: the site's default
  std::string time = "24:00:00";
  int nodes = 1;
  int ranks_per_node = 1;  // one per GPU
  bool gpus = true;        // false: CPU ranks, no --gpus-per-node
  int cpus_per_rank = 8;
  int lead_s = 300;                          // warning before the time limit
  std::vector<std::string> environment;      // extra "NAME=value" lines
  std::string graticule = "graticule";       // the program as seen on the nodes
  std::vector<std::string> train_arguments;  // what follows `graticule train`
};

std::string SubmitScript(const SubmitOptions& options);

// Quotes one word for a POSIX shell; plain words stay as they are.
std::string ShellQuote(const std::string& word);

}  // namespace graticule
