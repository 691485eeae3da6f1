// One writer per run folder: the file run.lock names its owner and is renewed by a heartbeat.
//
// Taking over: the same job with a higher restart count at once; a lock of this host whose process is dead at
// once; any other owner only after 3 missed heartbeats, or when told to (`--take-lock`). Two writers that
// race end with one owner, because the token is read back after the rename. Check() re-reads the token: call
// it before every rename. Refusals throw Error(kUsage) naming host, pid and job; a lost lock is Error(kPeer),
// exit 6. Check and Beat may be called from any thread; the rest is for the thread that owns the object. The
// destructor removes an own lock.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/fs.h"

namespace graticule {

struct LockOwner {
  std::string job;      // SLURM job with array task, or "" outside
  int64_t restart = 0;  // SLURM_RESTART_COUNT
  std::string host;     // for people; two containers may share it
  std::string machine;  // boot and pid namespace: only within one of them does a pid prove anything
  int64_t pid = 0;
  uint64_t process_start = 0;  // kernel ticks: a pid used again is another process
  std::string token;           // random, 32 hex digits
  double heartbeat_unix_s = 0;
};

// Who holds the run; nullopt: nobody. Throws Error(kUsage) for a file that is no lock.
std::optional<LockOwner> ReadLockOwner(FileSystem& fs, const std::string& run_dir);

// True if the process of `owner` provably no longer exists.
bool IsProvablyDead(const LockOwner& owner);

// This process, as the environment and the kernel describe it, with a fresh token.
LockOwner CurrentOwner();

class RunLock {
 public:
  static constexpr double kHeartbeatSeconds = 20;
  static constexpr int kMissedHeartbeats = 3;

  // Takes run_dir/run.lock for `self` or throws. take: take it from anybody.
  RunLock(FileSystem& fs, Clock& clock, const std::string& run_dir, LockOwner self, bool take = false);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  // Throws Error(kPeer) if the lock is no longer ours.
  void Check();
  // Check, then renew the heartbeat if the last one is older than kHeartbeatSeconds. Cheap otherwise.
  void Beat();

 private:
  void CheckLocked();
  void Write();
  FileSystem& fs_;
  Clock& clock_;
  std::string path_;
  LockOwner self_;
  std::mutex mutex_;
  double last_beat_s_ = 0;
};

}  // namespace graticule
