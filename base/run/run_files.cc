#include "base/run/run_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>

#include "base/log.h"
#include "base/run/as_checkpoint_error.h"

namespace graticule {
namespace {

constexpr char kFailures[] = "failure";

std::string HostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

// True for a row that survives a restart at `step`: a whole object with an integer step up to it.
bool KeepsRow(std::string_view line, int64_t step) {
  const auto row = nlohmann::json::parse(line, nullptr, false);
  return row.is_object() && row.contains("step") && row["step"].is_number_integer() && row["step"] <= step;
}

}  // namespace

struct RunFiles::Stream {
  std::string path;
  std::unique_ptr<WritableFile> file;
  bool unsynced = false;
};

RunFiles::RunFiles(FileSystem& fs, Clock& clock, std::string dir)
    : fs_(fs), clock_(clock), dir_(std::move(dir)), metrics_(new Stream), events_(new Stream) {
  AsCheckpointError([&] {
    if (!fs_.IsDirectory(dir_)) {
      fs_.MakeDirs(dir_);
      fs_.SyncDir(DirName(dir_));
    }
  });
  metrics_->path = PathOf("metrics.jsonl");
  events_->path = PathOf("events.jsonl");
  status_.host = HostName();
  status_.pid = ::getpid();
  status_.attempt = CurrentAttemptId();
  status_.started_utc = FormatUtc(clock_.UnixSeconds());
}

RunFiles::~RunFiles() = default;

void RunFiles::SetStatus(const std::function<void(RunStatusFile&)>& change) {
  change(status_);
  status_.updated_utc = FormatUtc(clock_.UnixSeconds());
  const RunStatusFile& s = status_;
  const std::string text = ToJson({{"state", s.state},
                                   {"exit_code", int64_t{s.exit_code}},
                                   {"reason", s.reason},
                                   {"stage", s.stage},
                                   {"step", s.step},
                                   {"attempt", s.attempt},
                                   {"last_checkpoint", s.last_checkpoint},
                                   {"host", s.host},
                                   {"pid", s.pid},
                                   {"started_utc", s.started_utc},
                                   {"updated_utc", s.updated_utc}});
  AsCheckpointError([&] {
    for (Stream* stream : {metrics_.get(), events_.get()}) {
      if (std::exchange(stream->unsynced, false)) stream->file->Sync();
    }
    WriteFileAtomically(fs_, PathOf("status.json"), text + "\n");
  });
}

void RunFiles::Append(Stream& stream, const JsonRow& row) {
  AsCheckpointError([&] {
    std::string line = ToJson(row) + "\n";
    if (!stream.file) {
      // A line that a crash cut short stays where it is; the new row must not be glued to it.
      const bool has_rows = fs_.Exists(stream.path) && fs_.FileSize(stream.path) > 0;
      char last = '\n';
      if (has_rows) {
        const auto file = fs_.Open(stream.path);
        file->ReadAt(file->size() - 1, &last, 1);
      }
      if (last != '\n') line = "\n" + line;
      stream.file = fs_.OpenAppend(stream.path);
    }
    stream.unsynced = true;
    stream.file->Append(line);
  });
}

void RunFiles::AppendMetrics(const JsonRow& row) { Append(*metrics_, row); }

void RunFiles::AppendEvent(const std::string& event, const JsonRow& details) {
  JsonRow row = {
      {"time_utc", FormatUtc(clock_.UnixSeconds())}, {"attempt", status_.attempt}, {"event", event}};
  row.insert(row.end(), details.begin(), details.end());
  Append(*events_, row);
}

void RunFiles::DropMetricsAfter(int64_t step) {
  AsCheckpointError([&] {
    metrics_->file.reset();
    metrics_->unsynced = false;
    if (!fs_.Exists(metrics_->path)) return;
    const std::string text = ReadFileToString(metrics_->path);
    std::string kept;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      if (end == text.npos) break;
      const std::string_view line = std::string_view(text).substr(at, end - at);
      if (KeepsRow(line, step)) kept.append(line).append("\n");
      at = end + 1;
    }
    if (kept != text) WriteFileAtomically(fs_, metrics_->path, kept);
  });
}

void RunFiles::WriteResolved(std::string_view yaml) {
  AsCheckpointError([&] { WriteFileAtomically(fs_, PathOf("resolved.yaml"), yaml); });
}

RunStatusFile ReadStatusFile(const std::string& path) {
  const std::string text = AsCheckpointError([&] { return ReadFileToString(path, 1 << 20); });
  try {
    const auto json = nlohmann::json::parse(text);
    RunStatusFile s;
    s.state = json.at("state");
    s.exit_code = json.at("exit_code");
    s.reason = json.at("reason");
    s.stage = json.at("stage");
    s.step = json.at("step");
    s.attempt = json.at("attempt");
    s.last_checkpoint = json.at("last_checkpoint");
    s.host = json.at("host");
    s.pid = json.at("pid");
    s.started_utc = json.at("started_utc");
    s.updated_utc = json.at("updated_utc");
    return s;
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::kCheckpoint, fmt::format("not the status of a run: {}", error.what()), path);
  }
}

void WriteRankFailure(FileSystem& fs, Clock& clock, const std::string& run_dir,
                      const RankFailure& failure) noexcept {
  try {
    const std::string dir = JoinPath(run_dir, kFailures);
    fs.MakeDirs(dir);
    const std::string text = ToJson({{"rank", int64_t{failure.rank}},
                                     {"host", failure.host},
                                     {"exit_code", int64_t{failure.exit_code}},
                                     {"reason", failure.reason},
                                     {"time_utc", FormatUtc(clock.UnixSeconds())}});
    WriteFileAtomically(fs, JoinPath(dir, fmt::format("rank_{}.json", failure.rank)), text + "\n");
  } catch (const std::exception& error) {
    LogWarn("the failure could not be written down: {}", error.what());
  }
}

std::vector<RankFailure> ReadRankFailures(const std::string& run_dir) {
  const std::string dir = JoinPath(run_dir, kFailures);
  std::vector<RankFailure> failures;
  if (!PosixFs().IsDirectory(dir)) return failures;
  for (const std::string& name : PosixFs().List(dir)) {
    try {
      const auto json = nlohmann::json::parse(ReadFileToString(JoinPath(dir, name), 1 << 20));
      failures.push_back({json.at("rank"), json.at("host"), json.at("exit_code"), json.at("reason")});
    } catch (const std::exception&) {
      continue;  // torn, or not ours
    }
  }
  std::sort(failures.begin(), failures.end(), [](const auto& a, const auto& b) { return a.rank < b.rank; });
  return failures;
}

void RemoveRankFailures(FileSystem& fs, const std::string& run_dir) {
  AsCheckpointError([&] { fs.RemoveTree(JoinPath(run_dir, kFailures)); });
}

std::string CurrentAttemptId() {
  static const std::string id = [] {
    const auto variable = [](const char* name) {
      const char* value = std::getenv(name);
      return std::string(value == nullptr ? "" : value);
    };
    if (const std::string given = variable("GRATICULE_ATTEMPT"); !given.empty()) return given;
    const auto or_zero = [](std::string text) { return text.empty() ? "0" : text; };
    if (const std::string job = variable("SLURM_JOB_ID"); !job.empty()) {
      return fmt::format("{}_{}_{}", job, or_zero(variable("SLURM_ARRAY_TASK_ID")),
                         or_zero(variable("SLURM_RESTART_COUNT")));
    }
    std::random_device random;
    return fmt::format("{:08x}{:08x}", random(), random());
  }();
  return id;
}

}  // namespace graticule
