#include "base/guarded_copy.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "base/fs.h"
#include "base/mapped_file.h"

namespace graticule {
namespace {

constexpr size_t kPage = 4096, kPages = 8;

// A mapped file of eight pages of which the last four are cut off: their pages cannot be read.
struct CutFile {
  CutFile() {
    std::string text(kPages * kPage, 0);
    std::iota(text.begin(), text.end(), static_cast<char>(0));
    path = ::testing::TempDir() + "guarded_copy_" + std::to_string(getpid());
    WriteFileAtomically(PosixFs(), path, text);
    mapped = MappedFile(path);
    EXPECT_EQ(truncate(path.c_str(), 4 * kPage), 0);
  }
  ~CutFile() { unlink(path.c_str()); }
  const uint8_t* at(size_t offset) const { return mapped.bytes().data() + offset; }
  std::string path;
  MappedFile mapped;
};

TEST(GuardedCopy, CopiesWhatCanBeReadAndTellsWhatCannot) {
  const CutFile file;
  std::vector<uint8_t> out(2 * kPage, 0xEE);
  ASSERT_TRUE(GuardedCopy(out.data(), file.at(3 * kPage - 5), kPage));
  for (size_t i = 0; i < kPage; ++i) ASSERT_EQ(out[i], static_cast<uint8_t>(3 * kPage - 5 + i));
  EXPECT_EQ(out[kPage], 0xEE);
  EXPECT_FALSE(GuardedCopy(out.data(), file.at(4 * kPage - 10), 20));  // its second half lies behind the cut
  EXPECT_FALSE(GuardedCopy(out.data(), file.at(7 * kPage), 1));
  EXPECT_TRUE(GuardedCopy(out.data(), file.at(4 * kPage - 10), 10));  // and the signal is not left blocked
}

// More copies than are fetched ahead, every third of them not readable.
TEST(GuardedCopy, GoesOnAfterEachCopyThatFails) {
  const CutFile file;
  constexpr size_t kCopies = 50, kBytes = 40;
  std::vector<uint8_t> out(kCopies * kBytes);
  std::vector<MappedCopy> copies;
  for (size_t i = 0; i < kCopies; ++i)
    copies.push_back({&out[i * kBytes], file.at(i * 77 + (i % 3 == 1 ? 4 * kPage : 0)), kBytes});
  GuardedCopy(copies);
  for (size_t i = 0; i < kCopies; ++i) {
    ASSERT_EQ(copies[i].done, i % 3 != 1) << i;
    if (copies[i].done) {
      EXPECT_EQ(out[i * kBytes + 3], static_cast<uint8_t>(i * 77 + 3));
    }
  }
}

// Each thread meets its own failures.
TEST(GuardedCopy, ThreadsDoNotMeetEachOthersFailures) {
  const CutFile file;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      uint8_t out[64];
      for (int i = 0; i < 2000; ++i) {
        const bool readable = (i + t) % 2 == 0;
        wrong += GuardedCopy(out, file.at(readable ? 100 : 6 * kPage), sizeof out) != readable;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// Outside a guarded copy the handler from before has its turn, or the process ends as it would have.
TEST(GuardedCopy, ElsewhereTheSignalDoesWhatItDid) {
  for (const bool handled : {false, true}) {
    const pid_t child = fork();
    if (child == 0) {
      signal(SIGBUS, handled ? [](int) { _exit(42); } : SIG_DFL);
      const CutFile file;
      uint8_t out[8];
      GuardMappedCopies();
      if (GuardedCopy(out, file.at(5 * kPage), 8)) _exit(1);
      _exit(*static_cast<const volatile uint8_t*>(file.at(5 * kPage)) == 0 ? 2 : 3);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (handled) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 42) << status;
    } else {
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) << status;
    }
  }
}

TEST(GuardedCopy, ASignalThatWasSentDoesNotEndTheGuard) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGBUS, SIG_IGN);
    const CutFile file;
    uint8_t out[8];
    GuardMappedCopies();
    raise(SIGBUS);
    _exit(GuardedCopy(out, file.at(5 * kPage), 8) ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace graticule
