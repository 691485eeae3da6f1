#include "trainer/run/run_start.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "base/fs.h"
#include "base/run/checkpoint_store.h"

namespace graticule {
namespace {

// Differences of warn fields; throws for fixed ones.
std::vector<std::string> CompareWithRun(const std::string& run_dir, Section& root,
                                        const std::string& resolved_yaml) {
  const std::string path = JoinPath(run_dir, "resolved.yaml");
  if (!PosixFs().Exists(path)) return {};
  std::vector<std::string> fixed, warnings;
  for (const ConfigDifference& d : CompareResolved(root, ReadFileToString(path), resolved_yaml)) {
    const std::string text = fmt::format("{}: {} -> {}", d.key, d.before, d.after);
    (d.rule == OnResume::kFixed ? fixed : warnings).push_back(text);
  }
  if (!fixed.empty()) {
    throw Error(
        ErrorCode::kUsage,
        fmt::format("the run was started with another configuration:\n  {}", fmt::join(fixed, "\n  ")),
        run_dir, "restore these values to go on with it, or choose another run.dir");
  }
  for (std::string& warning : warnings) warning += " (changed since the last start)";
  return warnings;
}

// What a start leaves that failed before its first step, and the lock of this very process, are no run.
bool HoldsMoreThanAStart(FileSystem& fs, const std::string& run_dir) {
  const std::vector<std::string> names = fs.List(run_dir);
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name != "run.lock" && name != "status.json" && name != "events.jsonl" && name != "failure";
  });
}

}  // namespace

RunStart FindRunStart(const std::string& run_dir, Section& root, const std::string& resolved_yaml,
                      bool fresh) {
  FileSystem& fs = PosixFs();
  RunStart start;
  if (!fs.Exists(run_dir)) return start;
  if (fresh && HoldsMoreThanAStart(fs, run_dir)) {
    throw Error(ErrorCode::kUsage, "--fresh needs an empty or new folder", run_dir,
                "choose another run.dir, or leave --fresh out to go on with this run");
  }
  const CheckpointScan scan = CheckpointStore(fs, JoinPath(run_dir, "ckpt")).FindNewestValid();
  scan.ThrowIfOnlyDamaged();
  if (scan.none()) return start;
  start.warnings = CompareWithRun(run_dir, root, resolved_yaml);
  for (const RejectedCheckpoint& rejected : scan.rejected) {
    start.warnings.push_back(
        fmt::format("passed over a damaged checkpoint, {}: {}", rejected.dir, rejected.reason));
  }
  const std::string state_path = scan.newest->PathOf("state.json");
  start.state = TrainStateFromJson(ReadFileToString(state_path), state_path);
  start.checkpoint = scan.newest->dir;
  start.kind = start.state.finished() ? RunStart::Kind::kFinished : RunStart::Kind::kResume;
  return start;
}

RunStart ShareRunStartCollective(const RunStart& found, Communicator& control) {
  RunStart start = found;
  const nlohmann::json mine = {{"kind", static_cast<int>(start.kind)},
                               {"checkpoint", start.checkpoint},
                               {"state", ToJson(start.state)}};
  std::string told_by_first;  // not as text: a path may be of any bytes
  nlohmann::json::to_msgpack(mine, told_by_first);
  const auto told = nlohmann::json::from_msgpack(control.BroadcastString(told_by_first, 0));
  start.kind = static_cast<RunStart::Kind>(told.at("kind").get<int>());
  start.checkpoint = told.at("checkpoint").get<std::string>();
  start.state = TrainStateFromJson(told.at("state").get<std::string>(), start.checkpoint);
  return start;
}

void RefuseCrashLoop(const std::string& run_dir) {
  constexpr int kStarts = 3;
  constexpr int kKilledBySignal = 128, kNodeLost = 205;  // exit codes of mpirun
  const std::string path = JoinPath(run_dir, "events.jsonl");
  if (!PosixFs().Exists(path)) return;
  std::istringstream lines(ReadFileToString(path));
  int failures = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!row.is_object()) continue;
    const std::string event = row.value("event", "");
    if (event == "checkpoint") failures = 0;
    if (event == "end") failures = row.value("state", "") == "failed" ? failures + 1 : 0;
    if (event == "lost" && row.value("code", 0) > kKilledBySignal && row.value("code", 0) != kNodeLost)
      ++failures;
  }
  if (failures < kStarts) return;
  throw Error(ErrorCode::kNoProgress,
              fmt::format("the last {} starts failed without a new checkpoint", failures), path,
              "look at the reason in status.json; a start that is not a restart of a job is always tried");
}

void CheckSameInputs(const TrainState& state, const TrainState& now) {
  const auto check = [](const char* what, const std::string& before, const std::string& now) {
    if (before == now) return;
    throw Error(ErrorCode::kUsage,
                fmt::format("the {} changed since the checkpoint: {} -> {}", what,
                            before.empty() ? "none" : before, now.empty() ? "none" : now),
                "", "restore it to go on with the run, or choose another run.dir");
  };
  check("training data", state.data_sha256, now.data_sha256);
  check("embeddings that are trained on", state.embeddings_sha256, now.embeddings_sha256);
  check("cell partition", state.cells_sha256, now.cells_sha256);
  check("gallery", state.gallery_sha256, now.gallery_sha256);
  check("order algorithm", state.order, now.order);
}

}  // namespace graticule
