#include "trainer/run/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.h"
#include "base/fs.h"
#include "trainer/checkpoint/checkpoint_folder.h"

namespace graticule {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

// Job, array task and restart count under SLURM; random elsewhere.
std::string AttemptId() {
  const char* job = std::getenv("SLURM_JOB_ID");
  if (job == nullptr) {
    std::random_device random;
    return fmt::format("{:08x}", random());
  }
  const char* task = std::getenv("SLURM_ARRAY_TASK_ID");
  const char* restart = std::getenv("SLURM_RESTART_COUNT");
  return fmt::format("{}_{}_{}", job, task != nullptr ? task : "0", restart != nullptr ? restart : "0");
}

// One write call: a crash leaves at most one incomplete last line.
void AppendLine(const std::string& path, const std::string& line) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const std::string text = line + "\n";
  const bool good = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (fd >= 0) ::close(fd);
  if (!good) {
    throw Error(ErrorCode::kCheckpoint, "cannot append to the run's log", path,
                "the disk may be full or the folder read-only");
  }
}

}  // namespace

struct RunFolder::Live {
  std::string state = "starting", stage = "open", reason, last_checkpoint;
  int exit_code = 0;
  int64_t step = 0;
  std::string started_utc = UtcNow(), host = HostName();
  double begin_s = Now(), progress_s = -1e9, status_s = -1e9;
  bool line_open = false;  // a progress line without its end is on the terminal
};

RunFolder::RunFolder(std::string path, const LogConfig& log)
    : path_(std::move(path)), log_(log), attempt_(AttemptId()), live_(std::make_unique<Live>()) {
  PosixFs().MakeDirs(PathOf("ckpt"));
}

RunFolder::~RunFolder() {
  if (live_->line_open) std::fputc('\n', stderr);
}

std::string RunFolder::PathOf(const std::string& name) const { return JoinPath(path_, name); }
double RunFolder::seconds_since_start() const { return Now() - live_->begin_s; }

void RunFolder::AppendMetrics(const std::string& json_line) {
  AppendLine(PathOf("metrics.jsonl"), json_line);
}

void RunFolder::DropMetricsAfter(int64_t step) {
  const std::string path = PathOf("metrics.jsonl");
  if (!PosixFs().Exists(path)) return;
  const std::string text = ReadFileToString(path);
  std::string kept;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    const auto row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (row.is_object() && row.value("step", int64_t{0}) <= step) kept += line + "\n";
  }
  if (kept != text) WriteFileAtomically(PosixFs(), path, kept);
}

void RunFolder::Event(const std::string& name, const std::map<std::string, std::string>& fields) {
  nlohmann::ordered_json row = {{"time_utc", UtcNow()}, {"attempt", attempt_}, {"event", name}};
  for (const auto& [key, value] : fields) row[key] = value;
  AppendLine(PathOf("events.jsonl"), row.dump());
}

void RunFolder::WriteStatus() {
  const nlohmann::ordered_json status = {{"state", live_->state},
                                         {"exit_code", live_->exit_code},
                                         {"reason", live_->reason},
                                         {"stage", live_->stage},
                                         {"step", live_->step},
                                         {"attempt", attempt_},
                                         {"last_checkpoint", live_->last_checkpoint},
                                         {"host", live_->host},
                                         {"pid", static_cast<int64_t>(getpid())},
                                         {"started_utc", live_->started_utc},
                                         {"updated_utc", UtcNow()}};
  WriteFileAtomically(PosixFs(), PathOf("status.json"), status.dump(2) + "\n");
  live_->status_s = Now();
}

void RunFolder::SetStatus(const std::string& state, int exit_code, const std::string& reason) {
  live_->state = state;
  live_->exit_code = exit_code;
  live_->reason = reason;
  WriteStatus();
}

void RunFolder::SetStage(const std::string& stage) {
  live_->stage = stage;
  WriteStatus();
}

void RunFolder::Progress(int64_t step, int64_t total, const std::string& text, double eta_s) {
  live_->step = step;
  const double now = Now();
  constexpr double kStatusEvery = 5;
  if (now - live_->status_s >= kStatusEvery) WriteStatus();
  if (log_.quiet) return;
  const bool terminal = isatty(STDERR_FILENO) == 1 && log_.format == "text";
  if (now - live_->progress_s < (terminal ? 0.2 : log_.progress_s) && step != total) return;
  live_->progress_s = now;
  if (log_.format == "json") {
    const nlohmann::ordered_json line = {{"step", step}, {"total", total}, {"text", text}, {"eta_s", eta_s}};
    fmt::print(stderr, "{}\n", line.dump());
    return;
  }
  const auto left = static_cast<int64_t>(eta_s);
  const std::string line = fmt::format("step {}/{}  {}  ETA {}:{:02}:{:02}", step, total, text, left / 3600,
                                       left / 60 % 60, left % 60);
  fmt::print(stderr, "{}{}{}", terminal ? "\r\x1b[K" : "", line, terminal ? "" : "\n");
  live_->line_open = terminal;
}

void RunFolder::Say(const std::string& line) {
  if (log_.quiet && !line.starts_with("error")) return;
  if (live_->line_open) std::fputc('\n', stderr);
  live_->line_open = false;
  if (log_.format == "json") {
    fmt::print(stderr, "{}\n", nlohmann::json{{"message", line}}.dump());
  } else {
    fmt::print(stderr, "{}\n", line);
  }
}

std::string RunFolder::BeginCheckpoint(int64_t step) {
  return BeginCheckpointFolder(PosixFs(), PathOf("ckpt"), step);
}

void RunFolder::PublishCheckpoint(int64_t step, int64_t keep, int64_t best_step) {
  live_->last_checkpoint =
      JoinPath("ckpt", BaseName(PublishCheckpointFolder(PosixFs(), PathOf("ckpt"), step)));
  RetainCheckpoints(PosixFs(), PathOf("ckpt"), keep, best_step);
  WriteStatus();
}

}  // namespace graticule
