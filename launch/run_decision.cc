#include "launch/run_decision.h"

#include <charconv>

namespace graticule {
namespace {

// Ends that a restart cannot mend: usage, data, checkpoint, numerics, no progress, bug.
bool IsFinal(int code) { return code == 2 || code == 3 || code == 4 || code == 5 || code == 7 || code == 70; }

std::optional<long> RestartCount(const std::string& attempt) {
  const size_t cut = attempt.rfind('_');
  if (cut == std::string::npos) return std::nullopt;
  long count = 0;
  const char* end = attempt.data() + attempt.size();
  const auto parsed = std::from_chars(attempt.data() + cut + 1, end, count);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return count;
}

}  // namespace

const char* NameOf(Decision decision) {
  switch (decision) {
    case Decision::kRequeue:
      return "requeue";
    case Decision::kStop:
      return "stop";
    case Decision::kDone:
      return "done";
  }
  return "stop";
}

bool FollowsAttempt(const std::string& attempt, const std::string& earlier) {
  const auto now = RestartCount(attempt), before = RestartCount(earlier);
  return now && before && *now == *before + 1 &&
         attempt.substr(0, attempt.rfind('_')) == earlier.substr(0, earlier.rfind('_'));
}

Decision Decide(const std::optional<RunStatusFile>& status, const std::string& attempt, int code,
                bool checkpoint_good, bool unstarted_before) {
  if (status && status->state == "finished") return Decision::kDone;
  if (!status || status->attempt != attempt) {
    // mpirun failed before any rank could write: worth one more try on other nodes.
    if (IsFinal(code)) return Decision::kStop;
    return unstarted_before ? Decision::kStop : Decision::kRequeue;
  }
  if (status->state == "preempted") return checkpoint_good ? Decision::kRequeue : Decision::kStop;
  if (status->state == "failed") return status->exit_code == 6 ? Decision::kRequeue : Decision::kStop;
  // starting or running: the ranks were lost without a word.
  if (IsFinal(code) || code == 0) return Decision::kStop;
  return Decision::kRequeue;
}

}  // namespace graticule
