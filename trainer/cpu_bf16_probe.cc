#include "trainer/cpu_bf16_probe.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace graticule {
namespace {

constexpr char kIsaVariable[] = "ONEDNN_MAX_CPU_ISA";
constexpr char kIsaWithoutAmx[] = "AVX512_CORE_BF16";
constexpr unsigned kLimitS = 30;

// Large enough to be given to oneDNN rather than to a plain loop.
bool Multiply() {
  at::set_num_threads(1);
  const at::Tensor ones = at::ones({256, 256}, at::kBFloat16);
  return at::matmul(ones, ones)[0][0].item<float>() == 256.0f;
}

}  // namespace

std::string EndOfChild(bool (*body)()) {
  const pid_t child = fork();
  if (child < 0) return "";  // no memory for a child: the run itself will say so
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    for (const int signal_number : {SIGILL, SIGSEGV, SIGBUS, SIGALRM}) signal(signal_number, SIG_DFL);
    alarm(kLimitS);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  }
  return WEXITSTATUS(status) == 0 ? "" : "a wrong result";
}

std::string ProbeCpuBf16() { return EndOfChild(Multiply); }

std::string PrepareCpuBf16() {
  const std::string death = ProbeCpuBf16();
  if (death.empty()) return "";
  const char* set_by_user = std::getenv(kIsaVariable);
  if (!set_by_user) {
    setenv(kIsaVariable, kIsaWithoutAmx, 1);
    if (ProbeCpuBf16().empty()) {
      return "bf16 products end with " + death +
             " on this CPU, which announces AMX but does not run it; using " + kIsaVariable + "=" +
             kIsaWithoutAmx;
    }
  }
  throw Error(ErrorCode::kUsage, "bf16 products end with " + death + " on this CPU", "train.precision",
              set_by_user ? std::string("unset ") + kIsaVariable + ", or set train.precision=fp32"
                          : "set train.precision=fp32");
}

}  // namespace graticule
