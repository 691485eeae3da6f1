#include "base/run/run_lock.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

namespace graticule {
namespace {

constexpr char kLockFile[] = "run.lock";

std::string FirstLine(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

// Field 22 of /proc/PID/stat; 0 if there is no such process. The name in field 2 may hold spaces and
// brackets.
uint64_t ProcessStart(int64_t pid) {
  const std::string line = FirstLine(fmt::format("/proc/{}/stat", pid));
  const size_t bracket = line.rfind(')');
  if (bracket == line.npos) return 0;
  std::istringstream fields(line.substr(bracket + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  uint64_t start = 0;
  std::from_chars(field.data(), field.data() + field.size(), start);
  return start;
}

std::string MachineId() {
  char space[128] = {};
  if (::readlink("/proc/self/ns/pid", space, sizeof(space) - 1) < 0) return "";
  const std::string boot = FirstLine("/proc/sys/kernel/random/boot_id");
  return boot.empty() ? "" : boot + " " + space;
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// nullopt: no lock. Throws Error(kUsage) for a file that is no lock.
std::optional<LockOwner> ReadOwner(FileSystem& fs, const std::string& path) {
  if (!fs.Exists(path)) return std::nullopt;
  std::string text;
  try {
    text = ReadFileToString(path, 1 << 16);
  } catch (const Error&) {
    if (!fs.Exists(path)) return std::nullopt;  // released between the two calls
    throw;
  }
  try {
    const auto json = nlohmann::json::parse(text);
    return LockOwner{json.at("job"), json.at("restart"),       json.at("host"),  json.at("machine"),
                     json.at("pid"), json.at("process_start"), json.at("token"), json.at("heartbeat_unix_s")};
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kUsage, "the run lock is not readable", path,
                "if no other process writes this run, start once with --take-lock");
  }
}

std::string Describe(const LockOwner& owner) {
  std::string text = fmt::format("process {} on {}", owner.pid, owner.host);
  if (!owner.job.empty()) text += fmt::format(", job {} restart {}", owner.job, owner.restart);
  return text;
}

}  // namespace

std::optional<LockOwner> ReadLockOwner(FileSystem& fs, const std::string& run_dir) {
  return ReadOwner(fs, JoinPath(run_dir, kLockFile));
}

bool IsProvablyDead(const LockOwner& owner) {
  if (owner.machine.empty() || owner.machine != MachineId()) return false;
  if (::kill(static_cast<pid_t>(owner.pid), 0) != 0 && errno == ESRCH) return true;
  const uint64_t start = ProcessStart(owner.pid);
  return start != 0 && start != owner.process_start;
}

LockOwner CurrentOwner() {
  char host[256] = {};
  if (::gethostname(host, sizeof(host) - 1) != 0) host[0] = 0;
  std::random_device random;
  LockOwner owner{.job = Variable("SLURM_JOB_ID"),
                  .host = host,
                  .machine = MachineId(),
                  .pid = ::getpid(),
                  .process_start = ProcessStart(::getpid())};
  const std::string restart = Variable("SLURM_RESTART_COUNT");
  std::from_chars(restart.data(), restart.data() + restart.size(), owner.restart);
  for (int i = 0; i < 4; ++i) owner.token += fmt::format("{:08x}", random());
  return owner;
}

RunLock::RunLock(FileSystem& fs, Clock& clock, const std::string& run_dir, LockOwner self, bool take)
    : fs_(fs), clock_(clock), path_(JoinPath(run_dir, kLockFile)), self_(std::move(self)) {
  if (!take) {
    if (const auto owner = ReadOwner(fs_, path_)) {
      const double age_s = clock_.UnixSeconds() - owner->heartbeat_unix_s;
      const bool restarted = !owner->job.empty() && owner->job == self_.job && owner->restart < self_.restart;
      const bool silent = age_s > kMissedHeartbeats * kHeartbeatSeconds;
      if (!restarted && !silent && !IsProvablyDead(*owner)) {
        throw Error(
            ErrorCode::kUsage,
            fmt::format("the run is being written by {} (heartbeat {:.0f} s ago)", Describe(*owner), age_s),
            run_dir, "wait for it, choose another run folder, or take the run over with --take-lock");
      }
    }
  }
  Write();
  CheckLocked();
}

RunLock::~RunLock() {
  try {
    CheckLocked();
    fs_.Remove(path_);
  } catch (const Error&) {  // lost, or the disk fails: the next owner sees a dead process or old heartbeat
  }
}

void RunLock::Write() {
  self_.heartbeat_unix_s = clock_.UnixSeconds();
  const nlohmann::ordered_json json = {{"job", self_.job},     {"restart", self_.restart},
                                       {"host", self_.host},   {"machine", self_.machine},
                                       {"pid", self_.pid},     {"process_start", self_.process_start},
                                       {"token", self_.token}, {"heartbeat_unix_s", self_.heartbeat_unix_s}};
  WriteFileAtomically(fs_, path_, json.dump() + "\n");
  last_beat_s_ = clock_.MonotonicSeconds();
}

void RunLock::CheckLocked() {
  const auto owner = ReadOwner(fs_, path_);
  if (owner && owner->token == self_.token) return;
  throw Error(ErrorCode::kPeer,
              owner ? "the run lock was taken by " + Describe(*owner) : "the run lock was removed", path_,
              "this process stops so that two never write one run");
}

void RunLock::Check() {
  const std::lock_guard<std::mutex> guard(mutex_);
  CheckLocked();
}

void RunLock::Beat() {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (clock_.MonotonicSeconds() - last_beat_s_ < kHeartbeatSeconds) return;
  CheckLocked();
  Write();
}

}  // namespace graticule
