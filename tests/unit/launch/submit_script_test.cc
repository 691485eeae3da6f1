#include "launch/submit_script.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace graticule {
namespace {

namespace fs = std::filesystem;

// Runs the generated script with stand-ins for mpirun, graticule and scontrol and returns what they were
// told.
struct Outcome {
  int code;
  std::string calls;
};

Outcome RunScript(const std::string& mpirun, const std::string& decision, const std::string& before = "") {
  const fs::path dir = fs::temp_directory_path() / ("graticule_submit_" + std::to_string(getpid()));
  fs::remove_all(dir);
  fs::create_directories(dir / "bin");
  const auto program = [&dir](const std::string& name, const std::string& body) {
    std::ofstream(dir / "bin" / name) << "#!/bin/bash\n" << body << "\n";
    fs::permissions(dir / "bin" / name, fs::perms::owner_all);
  };
  program("mpirun", "echo \"mpirun $*\" >> $CALLS\n" + mpirun);
  program("graticule", "echo \"graticule $*\" >> $CALLS\necho " + decision);
  program("scontrol", "echo \"scontrol $*\" >> $CALLS");
  SubmitOptions options;
  options.run_dir = (dir / "run").string();
  options.nodes = 2;
  options.ranks_per_node = 4;
  options.train_arguments = {"--config", "a b.yaml", "optim.lr=3e-4"};
  std::ofstream(dir / "job.sh") << SubmitScript(options);
  const std::string command = "cd " + dir.string() +
                              " && export PATH=$PWD/bin:$PATH CALLS=$PWD/calls SLURM_JOB_ID=77; " + before +
                              " bash job.sh > out 2>&1";
  const int status = std::system(("bash -c '" + command + "'").c_str());
  std::ifstream file(dir / "calls");
  std::string calls((std::istreambuf_iterator<char>(file)), {});
  fs::remove_all(dir);
  return {WEXITSTATUS(status), calls};
}

TEST(SubmitScript, StartsOneRankPerGpuAndQuotesArguments) {
  const Outcome outcome = RunScript("exit 0", "done");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.calls.find(
                "mpirun -np 8 --map-by ppr:4:node:PE=8 graticule train --config a b.yaml optim.lr=3e-4"),
            std::string::npos)
      << outcome.calls;
  EXPECT_NE(outcome.calls.find("--attempt 77_0_0 --code 0"), std::string::npos) << outcome.calls;
  EXPECT_EQ(outcome.calls.find("scontrol"), std::string::npos);
}

TEST(SubmitScript, AWarningSignalReachesMpirunAndItsExitCodeSurvives) {
  // The job shell warns itself; mpirun then takes a moment, as ranks that write a checkpoint do, and leaves
  // with 75.
  const Outcome outcome = RunScript(
      "trap \"sleep 0.3; exit 75\" USR2\n(sleep 0.3; kill -USR2 $PPID) &\nfor i in {1..50}; do sleep 0.1; "
      "done; exit 9",
      "requeue", "export SLURM_RESTART_COUNT=2;");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.calls.find("--attempt 77_0_2 --code 75"), std::string::npos) << outcome.calls;
  EXPECT_NE(outcome.calls.find("scontrol requeue 77\n"), std::string::npos) << outcome.calls;
}

TEST(SubmitScript, ArrayTasksRequeueThemselves) {
  const Outcome outcome =
      RunScript("exit 205", "requeue", "export SLURM_ARRAY_JOB_ID=70 SLURM_ARRAY_TASK_ID=3;");
  EXPECT_NE(outcome.calls.find("--attempt 77_3_0 --code 205"), std::string::npos) << outcome.calls;
  EXPECT_NE(outcome.calls.find("scontrol requeue 70_3\n"), std::string::npos) << outcome.calls;
}

TEST(SubmitScript, AStopKeepsTheExitCode) {
  const Outcome outcome = RunScript("exit 3", "stop");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.calls.find("scontrol"), std::string::npos);
}

TEST(SubmitScript, QuotesWhatAShellWouldTouch) {
  EXPECT_EQ(ShellQuote("optim.lr=3e-4"), "optim.lr=3e-4");
  EXPECT_EQ(ShellQuote("a b"), "'a b'");
  EXPECT_EQ(ShellQuote("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(ShellQuote(""), "''");
}

}  // namespace
}  // namespace graticule
