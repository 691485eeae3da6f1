#include "launch/run_decision.h"

#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"

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

Decision Decide(const std::optional<RunStatus>& status, const std::string& attempt, int code,
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

std::optional<RunStatus> ReadRunStatus(const std::string& run_dir) {
  const std::string path = run_dir + "/status.json";
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::stringstream text;
  text << file.rdbuf();
  const auto json = nlohmann::json::parse(text.str(), nullptr, false);
  if (!json.is_object())
    throw Error(ErrorCode::kCheckpoint, "is not a JSON object", path, "Is this a run folder?");
  RunStatus status;
  const auto text_of = [&json](const char* key) {
    const auto it = json.find(key);
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  const auto number_of = [&json](const char* key) -> long long {
    const auto it = json.find(key);
    return it != json.end() && it->is_number() ? it->get<long long>() : 0;
  };
  status.state = text_of("state");
  status.attempt = text_of("attempt");
  status.reason = text_of("reason");
  status.stage = text_of("stage");
  status.last_checkpoint = text_of("last_checkpoint");
  status.host = text_of("host");
  status.updated_utc = text_of("updated_utc");
  status.exit_code = static_cast<int>(number_of("exit_code"));
  status.step = number_of("step");
  status.pid = number_of("pid");
  return status;
}

}  // namespace graticule
