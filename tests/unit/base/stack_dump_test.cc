#include "base/run/stack_dump.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <regex>
#include <thread>

#include "base/fs.h"

namespace graticule {
namespace {

std::string Path(const std::string& name) {
  return (std::filesystem::path(::testing::TempDir()) / (std::to_string(getpid()) + name)).string();
}

// A thread that sleeps until it is told to end, under a name to look for.
class Sleeper {
 public:
  explicit Sleeper(const char* name)
      : thread_([this, name] {
          prctl(PR_SET_NAME, name);
          std::unique_lock lock(mutex_);
          started_ = true;
          changed_.notify_all();
          changed_.wait(lock, [this] { return end_; });
        }) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return started_; });
  }
  ~Sleeper() {
    {
      const std::lock_guard lock(mutex_);
      end_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false, end_ = false;
  std::thread thread_;
};

size_t Sections(const std::string& text) {
  const std::regex head("\nthread [0-9]+ [^\n]+\n[^\n]+\\[0x[0-9a-f]+\\]");
  return static_cast<size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), head), std::sregex_iterator()));
}

TEST(StackDump, HoldsEveryThreadWithItsFrames) {
  const Sleeper one("first_sleeper"), two("second_sleeper");
  DumpStacks(Path("all"), "a peer hangs");
  const std::string text = ReadFileToString(Path("all"));
  EXPECT_TRUE(text.starts_with("a peer hangs\n")) << text;
  EXPECT_GE(Sections(text), 3u) << text;
  EXPECT_NE(text.find(" first_sleeper\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" second_sleeper\n"), std::string::npos) << text;
}

TEST(StackDump, AFatalSignalLeavesItAndStillKills) {
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS}) {
    const std::string path = Path("signal" + std::to_string(number));
    const pid_t child = fork();
    if (child == 0) {
      const Sleeper sleeper("sleeper");
      DumpStacksOnFatalSignal(path);
      raise(number);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), number);
    const std::string text = ReadFileToString(path);
    EXPECT_TRUE(text.starts_with("signal " + std::to_string(number) + "\n")) << text;
    EXPECT_GE(Sections(text), 2u) << text;
  }
}

TEST(StackDump, SurvivesAStackOverflow) {
  const std::string path = Path("overflow");
  const pid_t child = fork();
  if (child == 0) {
    DumpStacksOnFatalSignal(path);
    struct Deep {
      static int Dive(int n) {
        volatile char ballast[4096] = {};
        return n == 0 ? ballast[0] : Dive(n + 1) + ballast[n % 4096];
      }
    };
    _exit(Deep::Dive(1));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_GE(Sections(ReadFileToString(path)), 1u);
}

}  // namespace
}  // namespace graticule
