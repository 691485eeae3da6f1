// What a batch script should do after mpirun returned: requeue, stop or done. The truth is the run's
// status.json, because mpirun's own code says little after a lost node (docs/RUNS.md).
#pragma once

#include <optional>
#include <string>

#include "base/run/run_files.h"

namespace graticule {

enum class Decision { kRequeue, kStop, kDone };
const char* NameOf(Decision decision);

// status: nullopt where the run folder has none. checkpoint_good: the newest checkpoint verifies.
// unstarted_before: the attempt just before this one was already requeued without having started.
Decision Decide(const std::optional<RunStatusFile>& status, const std::string& attempt, int code,
                bool checkpoint_good, bool unstarted_before);

// True if `attempt` is the restart right after `earlier` of the same job and array task.
bool FollowsAttempt(const std::string& attempt, const std::string& earlier);

}  // namespace graticule
