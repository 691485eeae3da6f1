#include "trainer/step/stop_request.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <atomic>

#include "base/fs.h"

namespace graticule {
namespace {

std::atomic<int> g_signal{0}, g_interrupts{0};

// Async-signal-safe: lock-free atomics and _exit.
void OnSignal(int signal) {
  g_signal.store(signal);
  if (signal == SIGINT && g_interrupts.fetch_add(1) > 0) _exit(128 + SIGINT);
}

void Install(int signal) {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

StopRequest::StopRequest(std::string run_dir, bool term_is_checkpoint) : run_dir_(std::move(run_dir)) {
  for (const int signal : {SIGINT, SIGUSR1, SIGUSR2}) Install(signal);
  if (term_is_checkpoint) Install(SIGTERM);
}

void StopRequest::LookForFiles() {
  const auto now = std::chrono::steady_clock::now();
  if (run_dir_.empty() || now < next_look_) return;
  next_look_ = now + std::chrono::seconds(1);
  FileSystem& fs = PosixFs();
  const auto take = [&](const char* name) {
    const std::string path = JoinPath(run_dir_, name);
    if (!fs.Exists(path)) return false;
    fs.Remove(path);
    return true;
  };
  if (take("STOP")) reason_ = "STOP file";
  save_ = take("SAVE") || save_;
}

bool StopRequest::StopAsked() {
  LookForFiles();
  if (const int signal = g_signal.load(); reason_.empty() && signal != 0)
    reason_ = std::string("SIG") + sigabbrev_np(signal);
  return !reason_.empty();
}

bool StopRequest::SaveAsked() {
  LookForFiles();
  return std::exchange(save_, false);
}

}  // namespace graticule
