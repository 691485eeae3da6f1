#include "base/guarded_copy.h"

#include <setjmp.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>

namespace graticule {
namespace {

std::mutex g_mutex;
struct sigaction g_before = {};
// Of the copy that this thread is in.
thread_local sigjmp_buf* t_jump = nullptr;
thread_local const MappedCopy* t_copy = nullptr;

bool IsOfCopy(const siginfo_t& info) {
  if (t_jump == nullptr || info.si_code <= 0) return false;  // sent by somebody, not met by a copy
  const auto at = reinterpret_cast<uintptr_t>(info.si_addr), from = reinterpret_cast<uintptr_t>(t_copy->from);
  return at >= from && at - from < t_copy->bytes;
}

void OnBusError(int number, siginfo_t* info, void* context) {
  if (IsOfCopy(*info)) siglongjmp(*t_jump, 1);
  const bool once =
      g_before.sa_handler == SIG_DFL || (g_before.sa_flags & static_cast<int>(SA_RESETHAND)) != 0;
  if (info->si_code > 0 || once) {
    // The end of the process as it was before: the touch that failed is tried again, what was sent is
    // repeated.
    sigaction(number, &g_before, nullptr);
    if (info->si_code <= 0) raise(number);
  } else if ((g_before.sa_flags & SA_SIGINFO) != 0) {
    g_before.sa_sigaction(number, info, context);
  } else if (g_before.sa_handler != SIG_IGN) {
    g_before.sa_handler(number);
  }
}

constexpr size_t kLine = 64;

// Asks for one line of it, into the second cache: that one waits for more lines at a time than the first.
inline void Fetch(const char* line) { __builtin_prefetch(line, /*write*/ 0, /*cache*/ 2); }

// Copies front to back, line by line, and asks for a line of `soon` with each. libc's memcpy touches the end
// of a row first, and the processor's string instruction takes twice as long where `out` lies a little behind
// `from` within their pages.
inline void CopyAndFetch(char* out, const char* from, size_t bytes, const char* soon) {
  for (; bytes >= kLine; bytes -= kLine, out += kLine, from += kLine, soon += kLine) {
    Fetch(soon);
    std::memcpy(out, from, kLine);
  }
  Fetch(soon);
  std::memcpy(out, from, bytes);
}

}  // namespace

void GuardMappedCopies() noexcept {
  std::lock_guard lock(g_mutex);
  struct sigaction now = {};
  sigaction(SIGBUS, nullptr, &now);
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == OnBusError) return;
  g_before = now;
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  // A jump out of the handler must not leave the signal blocked.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

void GuardedCopy(std::span<MappedCopy> copies) noexcept {
  // A line of a copy that is due later brings the translation of its address; the others are asked for by the
  // copies before it.
  constexpr size_t kFar = 16, kNear = 2, kMostAtOnce = 4096;
  static std::once_flag guarded;
  std::call_once(guarded, GuardMappedCopies);
  const auto from = [&](size_t i) { return static_cast<const char*>(copies[i].from); };
  for (size_t i = 0; i < std::min(kFar, copies.size()); ++i) {
    const size_t bytes = i < kNear ? std::min(copies[i].bytes, kMostAtOnce) : 1;
    for (size_t at = 0; at < bytes; at += kLine) Fetch(from(i) + at);
  }
  volatile size_t next = 0;  // kept over the jump
  sigjmp_buf here;
  if (sigsetjmp(here, 0) != 0) next = next + 1;  // the one that failed stays undone
  t_jump = &here;
  for (size_t i = next; i < copies.size(); next = ++i) {
    if (i + kFar < copies.size()) Fetch(from(i + kFar));
    t_copy = &copies[i];
    std::atomic_signal_fence(std::memory_order_seq_cst);  // no copy may move out of what is guarded
    CopyAndFetch(static_cast<char*>(copies[i].out), from(i), copies[i].bytes,
                 from(std::min(i + kNear, copies.size() - 1)));
    copies[i].done = true;
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_jump = nullptr;
}

bool GuardedCopy(void* out, const void* mapped, size_t bytes) noexcept {
  MappedCopy copy{out, mapped, bytes};
  GuardedCopy({&copy, 1});
  return copy.done;
}

}  // namespace graticule
