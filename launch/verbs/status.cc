#include "launch/verbs/status.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "base/run/checkpoint_store.h"
#include "base/run/run_files.h"
#include "base/run/run_lock.h"
#include "launch/options.h"
#include "launch/run_decision.h"

namespace graticule {
namespace {

namespace fs = std::filesystem;
// Remembers the attempt that was requeued although it never wrote a status, so that it happens once only.
constexpr const char* kUnstartedMark = "requeued_unstarted";

// nullopt where the folder has no status.json.
std::optional<RunStatusFile> StatusOf(const std::string& run_dir) {
  const std::string path = JoinPath(run_dir, "status.json");
  if (!PosixFs().Exists(path)) return std::nullopt;
  return ReadStatusFile(path);
}

bool HasGoodCheckpoint(const std::string& run_dir) {
  return CheckpointStore(PosixFs(), JoinPath(run_dir, "ckpt")).FindNewestValid().newest.has_value();
}

// A script needs one of three words whatever the folder looks like.
std::optional<RunStatusFile> StatusForDecision(const std::string& run_dir) {
  try {
    return StatusOf(run_dir);
  } catch (const Error& error) {
    fmt::print(stderr, "warning: {}\n", error.what());
    return std::nullopt;
  }
}

// The ranks were lost without a word: what mpirun said is all there is to know (trainer/run/run_start.h
// counts it).
void RecordLoss(const std::string& run_dir, int code) {
  try {
    RunFiles(PosixFs(), SystemClock(), run_dir).AppendEvent("lost", {{"code", int64_t{code}}});
  } catch (const Error& error) {
    fmt::print(stderr, "warning: {}\n", error.what());
  }
}

Decision DecideForRun(const std::string& run_dir, const std::string& attempt, int code) {
  const auto status = StatusForDecision(run_dir);
  const fs::path mark = fs::path(run_dir) / kUnstartedMark;
  std::string earlier;
  std::ifstream(mark) >> earlier;
  // Every hash is read again: only where the answer depends on it.
  const bool checkpoint_good = status && status->state == "preempted" && HasGoodCheckpoint(run_dir);
  const Decision decision = Decide(status, attempt, code, checkpoint_good, FollowsAttempt(attempt, earlier));
  const bool unstarted = !status || status->attempt != attempt;
  if (decision == Decision::kRequeue && unstarted) {
    std::ofstream file(mark);
    file << attempt << '\n' << std::flush;
    // Without its mark the next attempt would be requeued as well, and so for ever.
    if (!file) return Decision::kStop;
  } else {
    fs::remove(mark);
  }
  if (decision == Decision::kRequeue && !unstarted && status->state != "preempted" &&
      status->state != "failed")
    RecordLoss(run_dir, code);
  return decision;
}

// Why a run that calls itself alive is probably not; empty where it is, or does not say so.
std::string Silence(const std::string& run_dir, const RunStatusFile& status) {
  if (status.state != "starting" && status.state != "running") return "";
  const std::optional<LockOwner> owner = ReadLockOwner(PosixFs(), run_dir);
  if (!owner) return "nobody holds this run any more: its process ended without a word";
  if (IsProvablyDead(*owner)) return fmt::format("its process {} on {} is gone", owner->pid, owner->host);
  const double age_s = SystemClock().UnixSeconds() - owner->heartbeat_unix_s;
  if (age_s <= RunLock::kMissedHeartbeats * RunLock::kHeartbeatSeconds) return "";
  return fmt::format("no sign of its process {} on {} for {:.0f} s", owner->pid, owner->host, age_s);
}

int Run(const std::vector<std::string>& arguments) {
  Options options(
      "graticule status RUN [--decide RUN --attempt ID --code N]",
      "Prints how a run stands, or with --decide what a batch script should do: requeue, stop or done.");
  namespace po = boost::program_options;
  options.visible().add_options()("decide", po::value<std::string>(), "run folder to decide about")(
      "attempt", po::value<std::string>()->default_value(""),
      "attempt id of this job, <job>_<array task>_<restart count>")(
      "code", po::value<int>()->default_value(0), "what mpirun returned");
  options.Positional("run", "run folder");
  if (!options.Parse(arguments)) return 0;

  if (options.Has("decide")) {
    const Decision decision = DecideForRun(options.Get<std::string>("decide"),
                                           options.Get<std::string>("attempt"), options.Get<int>("code"));
    if (options.json())
      fmt::print("{}\n", JsonText(nlohmann::json{{"decision", NameOf(decision)}}));
    else
      fmt::print("{}\n", NameOf(decision));
    return 0;
  }
  const auto runs = options.Words("run");
  if (runs.size() != 1)
    throw Error(ErrorCode::kUsage, "name one run folder", "", "graticule status runs/demo");
  const auto status = StatusOf(runs[0]);
  if (!status) throw Error(ErrorCode::kUsage, "there is no status.json", runs[0], "Is this a run folder?");
  const std::vector<RankFailure> failures = ReadRankFailures(runs[0]);
  const std::string silence = Silence(runs[0], *status);
  if (options.json()) {
    nlohmann::json ranks = nlohmann::json::array();
    for (const RankFailure& f : failures)
      ranks.push_back({{"rank", f.rank}, {"host", f.host}, {"exit_code", f.exit_code}, {"reason", f.reason}});
    const nlohmann::json told = {{"run", runs[0]},
                                 {"state", status->state},
                                 {"exit_code", status->exit_code},
                                 {"reason", status->reason},
                                 {"stage", status->stage},
                                 {"step", status->step},
                                 {"attempt", status->attempt},
                                 {"last_checkpoint", status->last_checkpoint},
                                 {"host", status->host},
                                 {"pid", status->pid},
                                 {"updated_utc", status->updated_utc},
                                 {"silent", silence},
                                 {"failures", ranks}};
    fmt::print("{}\n", JsonText(told));
    return 0;
  }
  fmt::print("{}: {} at step {} ({})\n", runs[0], status->state, status->step, status->updated_utc);
  if (!silence.empty()) fmt::print("  {}\n", silence);
  if (!status->reason.empty()) fmt::print("  reason: {} (exit code {})\n", status->reason, status->exit_code);
  for (const RankFailure& f : failures)
    fmt::print("  rank {} on {}: {} (exit code {})\n", f.rank, f.host, f.reason, f.exit_code);
  if (!status->last_checkpoint.empty()) fmt::print("  last checkpoint: {}\n", status->last_checkpoint);
  return 0;
}

}  // namespace

Verb StatusVerb() { return {"status", "how a run stands or ended", Run}; }

}  // namespace graticule
