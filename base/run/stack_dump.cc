#include "base/run/stack_dump.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/guarded_copy.h"

namespace graticule {
namespace {

constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr int kMaxFrames = 64;

// SIGRTMIN itself is left to others; sanitizers and profilers take low ones.
int DumpSignal() { return SIGRTMIN + 7; }

char g_path[4096], g_folder[4096];
std::atomic<int> g_file{-1};     // of the dump that runs
std::atomic<int> g_answered{0};  // thread that has written its frames
std::atomic<bool> g_dumping{false};

// Only calls that a signal handler may make. backtrace is one of them once it has been called before.
void Write(int file, const char* text) {
  const ssize_t written = write(file, text, strlen(text));
  (void)written;
}

struct Digits {
  explicit Digits(long value) {
    do *--text = static_cast<char>('0' + value % 10);
    while ((value /= 10) > 0);
  }
  char memory[24] = {};
  char* text = memory + sizeof memory - 1;
};

long ThisThread() { return syscall(SYS_gettid); }

void WriteHead(int file, long thread) {
  Write(file, "\nthread ");
  const Digits number(thread);
  Write(file, number.text);
  char path[64] = "/proc/self/task/", name[32] = "";
  strcat(strcat(path, number.text), "/comm");
  const int comm = open(path, O_RDONLY | O_CLOEXEC);
  if (comm >= 0) {
    const ssize_t n = read(comm, name, sizeof name - 1);
    close(comm);
    if (n > 1) {
      name[n - 1] = 0;
      Write(file, " ");
      Write(file, name);
    }
  }
  Write(file, "\n");
}

void WriteFrames(int file) {
  void* frames[kMaxFrames];
  backtrace_symbols_fd(frames, backtrace(frames, kMaxFrames), file);
}

void OnDumpSignal(int) {
  const int saved_errno = errno;
  const int file = g_file.load();
  if (file >= 0) WriteFrames(file);
  g_answered.store(static_cast<int>(ThisThread()));
  errno = saved_errno;
}

void AskThread(int file, long thread) {
  WriteHead(file, thread);
  g_answered.store(0);
  if (syscall(SYS_tgkill, getpid(), thread, DumpSignal()) != 0) return;
  const timespec pause{0, 1'000'000};
  for (int i = 0; i < 1000 && g_answered.load() != thread; ++i) nanosleep(&pause, nullptr);
  if (g_answered.load() != thread) Write(file, "does not answer\n");
}

// opendir allocates; the system call does not.
void ForEachThread(int file, void (*visit)(int, long)) {
  const int tasks = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (tasks < 0) return;
  struct Entry {
    ino64_t inode;
    off64_t next;
    unsigned short length;
    unsigned char type;
    char name[];
  };
  alignas(Entry) char buffer[4096];
  for (long n; (n = syscall(SYS_getdents64, tasks, buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < n;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      if (const long thread = strtol(entry->name, nullptr, 10); thread > 0) visit(file, thread);
      at += entry->length;
    }
  }
  close(tasks);
}

void Dump(const char* path, const char* reason, int signal) {
  if (g_dumping.exchange(true)) return;
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file >= 0) {
    Write(file, reason);
    if (signal > 0) Write(file, Digits(signal).text);
    Write(file, "\n");
    g_file.store(file);
    WriteHead(file, ThisThread());
    WriteFrames(file);
    ForEachThread(file, [](int out, long thread) {
      if (thread != ThisThread()) AskThread(out, thread);
    });
    g_file.store(-1);
    fsync(file);
    close(file);
  }
  g_dumping.store(false);
}

void OnFatalSignal(int number) {
  // Reset by SA_RESETHAND: what is raised here ends the process as it would have ended.
  mkdir(g_folder, 0750);
  Dump(g_path, "signal ", number);
  raise(number);
}

void Prepare() {
  void* frames[1];
  backtrace(frames, 1);  // loads what it needs, which must not happen inside a handler
  struct sigaction action = {};
  action.sa_handler = OnDumpSignal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(DumpSignal(), &action, nullptr);
}

}  // namespace

void DumpStacksOnFatalSignal(const std::string& path) {
  if (path.size() >= sizeof g_path) return;
  memcpy(g_path, path.c_str(), path.size() + 1);
  const size_t slash = path.rfind('/');
  memcpy(g_folder, path.c_str(), slash == std::string::npos ? 0 : slash);
  Prepare();
  // A stack overflow leaves no room for a handler on the thread's own stack.
  constexpr size_t kStackBytes = 1 << 17;
  static void* const memory = malloc(kStackBytes);
  const stack_t stack = {.ss_sp = memory, .ss_flags = 0, .ss_size = kStackBytes};
  sigaltstack(&stack, nullptr);
  for (const int number : kFatal) {
    struct sigaction action = {};
    action.sa_handler = OnFatalSignal;
    action.sa_flags = SA_ONSTACK | static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
  GuardMappedCopies();
}

void DumpStacks(const std::string& path, const std::string& reason) noexcept {
  Prepare();
  Dump(path.c_str(), reason.c_str(), 0);
}

}  // namespace graticule
