#include "trainer/cpu_bf16_probe.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace graticule {
namespace {

// Child processes, because the answer is kept in the environment and in oneDNN for good.
int InChild(int (*body)()) {
  const pid_t child = fork();
  if (child == 0) {
    at::set_num_threads(1);  // the OpenMP threads of earlier tests do not exist in a child
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(CpuBf16Probe, AfterPreparationProductsAreRight) {
  EXPECT_EQ(InChild([] {
              unsetenv("ONEDNN_MAX_CPU_ISA");  // whoever runs this may have set it already
              const std::string said = PrepareCpuBf16();
              const bool limited = std::getenv("ONEDNN_MAX_CPU_ISA") != nullptr;
              if (limited == said.empty()) return 2;  // it says so exactly when it limits
              const at::Tensor a = at::full({128, 64}, 2.0, at::kBFloat16),
                               b = at::full({64, 32}, 3.0, at::kBFloat16);
              return at::matmul(a, b)[127][31].item<float>() == 384.0f ? 0 : 3;
            }),
            0);
}

TEST(CpuBf16Probe, TellsHowAChildEnds) {
  EXPECT_EQ(EndOfChild([] { return true; }), "");
  EXPECT_EQ(EndOfChild([] { return false; }), "a wrong result");
  EXPECT_EQ(EndOfChild([] { return raise(SIGILL) == 0; }), "signal 4 (Illegal instruction)");
}

TEST(CpuBf16Probe, FindsNothingWrongWithoutAmx) {
  EXPECT_EQ(InChild([] {
              setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
              return ProbeCpuBf16().empty() ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace graticule
