// What a batch script should do after mpirun returned: requeue, stop or done. The truth is the run's
// status.json, because mpirun's own code says little after a lost node (docs/RUNS.md).
#pragma once

#include <optional>
#include <string>

namespace graticule {

struct RunStatus {
  std::string state;    // starting, running, finished, preempted, failed
  std::string attempt;  // "<job>_<array task>_<restart count>"
  std::string reason, stage, last_checkpoint, host, updated_utc;
  int exit_code = 0;
  long long step = 0, pid = 0;
};

enum class Decision { kRequeue, kStop, kDone };
const char* NameOf(Decision decision);

// status: nullopt where the run folder has none. checkpoint_good: the newest checkpoint verifies.
// unstarted_before: the attempt just before this one was already requeued without having started.
Decision Decide(const std::optional<RunStatus>& status, const std::string& attempt, int code,
                bool checkpoint_good, bool unstarted_before);

// True if `attempt` is the restart right after `earlier` of the same job and array task.
bool FollowsAttempt(const std::string& attempt, const std::string& earlier);

// Reads RUN/status.json; nullopt when there is none. Throws Error(kCheckpoint) when it is not valid.
std::optional<RunStatus> ReadRunStatus(const std::string& run_dir);

}  // namespace graticule
