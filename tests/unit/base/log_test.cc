#include "base/log.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/progress.h"

namespace graticule {
namespace {

struct Screen {
  std::string bytes;
  std::string Take() { return std::exchange(bytes, ""); }
  Terminal Make(bool interactive, int columns = 80) {
    return Terminal([this](std::string_view text) { bytes += text; }, interactive, columns);
  }
};

class LogTest : public ::testing::Test {
 protected:
  void SetUp() override { ::unsetenv("NO_COLOR"); }
  Screen screen_;
  FakeClock clock_;
};

TEST_F(LogTest, WritesTextWithRankOnlyWhereThereAreSeveral) {
  Terminal terminal = screen_.Make(false);
  Logger(terminal, clock_, {}).Write(LogLevel::kInfo, "hello", {{"n", int64_t{3}}});
  EXPECT_EQ(screen_.Take(), "22:13:20 info  hello  n=3\n");
  Logger(terminal, clock_, {.rank = 3, .world_size = 8}).Write(LogLevel::kWarn, "slow");
  EXPECT_EQ(screen_.Take(), "22:13:20 warn  [3] slow\n");
}

TEST_F(LogTest, OtherRanksAndQuietRunsSayLess) {
  Terminal terminal = screen_.Make(false);
  const Logger other(terminal, clock_, {.rank = 1, .world_size = 2});
  EXPECT_FALSE(other.Says(LogLevel::kInfo));
  EXPECT_TRUE(other.Says(LogLevel::kWarn));
  const Logger quiet(terminal, clock_, {.quiet = true});
  EXPECT_FALSE(quiet.Says(LogLevel::kWarn));
  EXPECT_TRUE(quiet.Says(LogLevel::kError));
  Logger normal(terminal, clock_, {});
  normal.Write(LogLevel::kDebug, "hidden");
  EXPECT_EQ(screen_.Take(), "");
}

TEST_F(LogTest, WritesOneJsonObjectPerLine) {
  Terminal terminal = screen_.Make(true);
  Logger(terminal, clock_, {.json = true, .rank = 2, .world_size = 4})
      .Write(LogLevel::kError, "line\nbreak \x1b[31m", {{"shard", std::string("a.h5")}});
  const std::string line = screen_.Take();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["level"], "error");
  EXPECT_EQ(json["rank"], 2);
  EXPECT_EQ(json["message"], "line\nbreak \x1b[31m");
  EXPECT_EQ(json["shard"], "a.h5");
  EXPECT_EQ(json["time_utc"], "2023-11-14T22:13:20Z");
}

TEST_F(LogTest, ColoursOnlyOnATerminalAndNeverWithNoColor) {
  Terminal interactive = screen_.Make(true), file = screen_.Make(false);
  Logger(interactive, clock_, {}).Write(LogLevel::kWarn, "x");
  EXPECT_EQ(screen_.Take(), "\x1b[33m22:13:20 warn  x\x1b[0m\n");
  Logger(file, clock_, {}).Write(LogLevel::kWarn, "x");
  EXPECT_EQ(screen_.Take().find('\x1b'), std::string::npos);
  ::setenv("NO_COLOR", "1", 1);
  Logger(interactive, clock_, {}).Write(LogLevel::kWarn, "x");
  EXPECT_EQ(screen_.Take().find('\x1b'), std::string::npos);
  ::unsetenv("NO_COLOR");
}

TEST_F(LogTest, ALineNeverMixesWithTheStatus) {
  Terminal terminal = screen_.Make(true, 10);
  terminal.Status("working on it");
  EXPECT_EQ(screen_.Take(), "\r\x1b[Kworking o");
  terminal.Line("done");
  EXPECT_EQ(screen_.Take(), "\r\x1b[Kdone\nworking o");
  terminal.Status("");
  EXPECT_EQ(screen_.Take(), "\r\x1b[K");
  terminal.Status("");
  EXPECT_EQ(screen_.Take(), "");
  terminal.Status("üüüüüüüüüüüü");
  EXPECT_EQ(screen_.Take(), "\r\x1b[Küüüüüüüüü");
}

TEST_F(LogTest, ProgressPrintsAPlainLineEveryThirtySeconds) {
  Terminal terminal = screen_.Make(false);
  Progress progress(terminal, clock_, {.total = 1000});
  std::string lines;
  for (int step = 1; step <= 290; ++step) {
    clock_.Advance(0.25);
    progress.Update(step, "loss 3.21");
  }
  lines = screen_.Take();
  EXPECT_EQ(lines,
            "step 120/1000 12% | loss 3.21 | 4.0 step/s | ETA 3:40\n"
            "step 240/1000 24% | loss 3.21 | 4.0 step/s | ETA 3:10\n");
  progress.Finish();
  EXPECT_EQ(screen_.Take(), "290 steps in 1:13 (4.0 step/s)\n");
}

TEST_F(LogTest, ProgressRedrawsOneLineOnATerminal) {
  Terminal terminal = screen_.Make(true);
  {
    Progress progress(terminal, clock_, {.unit = "image", .total = 10, .start = 4});
    progress.Update(4);
    EXPECT_EQ(screen_.Take(), "\r\x1b[Kimage 4/10 40%");
    clock_.Advance(0.1);
    progress.Update(5);
    EXPECT_EQ(screen_.Take(), "");  // too soon
    clock_.Advance(0.9);
    progress.Update(7);
    EXPECT_EQ(screen_.Take(), "\r\x1b[Kimage 7/10 70% | 3.0 image/s | ETA 0:01");
  }
  EXPECT_EQ(screen_.Take(), "\r\x1b[K");
}

TEST_F(LogTest, ProgressFollowsAChangeOfSpeedWithinAMinute) {
  Terminal terminal = screen_.Make(false);
  Progress progress(terminal, clock_, {.total = 100000});
  int64_t done = 0;
  for (int i = 0; i < 200; ++i) {
    clock_.Advance(1);
    progress.Update(done += 100);
  }
  EXPECT_NEAR(progress.rate(), 100, 0.01);
  for (int i = 0; i < 60; ++i) {
    clock_.Advance(1);
    progress.Update(done += 10);
  }
  EXPECT_LT(progress.rate(), 25);
  EXPECT_GT(progress.rate(), 10);
  clock_.monotonic_s -= 1000;  // must not happen, must not break either
  progress.Update(done);
  EXPECT_GT(progress.rate(), 0);
}

TEST_F(LogTest, QuietProgressSaysNothing) {
  Terminal terminal = screen_.Make(false);
  Progress progress(terminal, clock_, {.total = 10, .quiet = true});
  clock_.Advance(100);
  progress.Update(5);
  progress.Finish();
  EXPECT_EQ(screen_.Take(), "");
}

TEST(Duration, ReadsLikeAClock) {
  EXPECT_EQ(FormatDuration(0), "0:00");
  EXPECT_EQ(FormatDuration(259), "4:19");
  EXPECT_EQ(FormatDuration(3723.4), "1:02:03");
  EXPECT_EQ(FormatDuration(3 * 86400 + 4 * 3600 + 5 * 60), "3d 04:05");
  EXPECT_EQ(FormatDuration(-5), "0:00");
}

TEST(Clock, FormatsUtcWithoutTheLocale) {
  EXPECT_EQ(FormatUtc(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatUtc(951782399.9), "2000-02-28T23:59:59Z");
  EXPECT_EQ(FormatUtc(951782400), "2000-02-29T00:00:00Z");
  EXPECT_EQ(FormatUtc(4107542400), "2100-03-01T00:00:00Z");
  EXPECT_EQ(FormatUtc(-1), "1969-12-31T23:59:59Z");
}

}  // namespace
}  // namespace graticule
