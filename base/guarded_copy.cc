#include "base/guarded_copy.h"

#include <setjmp.h>
#include <signal.h>

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

// Front to back: libc's memcpy touches a row's end first, and the hardware's reading ahead goes the wrong way;
// random rows of 2 KiB came a fifth slower so. AddressSanitizer sees memcpy alone.
void CopyForward(void* out, const void* from, size_t bytes) {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
  asm volatile("rep movsb" : "+D"(out), "+S"(from), "+c"(bytes) : : "memory");
#else
  std::memcpy(out, from, bytes);
#endif
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
  constexpr size_t kAhead = 16;
  static std::once_flag guarded;
  std::call_once(guarded, GuardMappedCopies);
  const auto prefetch = [&](size_t i) {
    // One line brings the translation of the address too, and the hardware goes on from there.
    if (i < copies.size()) __builtin_prefetch(copies[i].from);
  };
  for (size_t i = 0; i < kAhead; ++i) prefetch(i);
  volatile size_t next = 0;  // kept over the jump
  sigjmp_buf here;
  if (sigsetjmp(here, 0) != 0) next = next + 1;  // the one that failed stays undone
  t_jump = &here;
  for (size_t i = next; i < copies.size(); next = ++i) {
    prefetch(i + kAhead);
    t_copy = &copies[i];
    std::atomic_signal_fence(std::memory_order_seq_cst);  // no copy may move out of what is guarded
    CopyForward(copies[i].out, copies[i].from, copies[i].bytes);
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
