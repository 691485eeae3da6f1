#include "base/file_lock.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/base/failure_of.h"
#include "tests/unit/base/temp_folder.h"

namespace graticule {
namespace {

TEST(FileLock, IsTakenOnceAndFreeAgain) {
  const TempFolder temp("file_lock");
  const std::string path = temp.At("x.lock");
  {
    const FileLock first(path, "");
    EXPECT_NE(FailureOf([&] { FileLock(path, "wait for it"); }, ErrorCode::kUsage).find("wait for it"),
              std::string::npos);
  }
  const FileLock second(path, "");
}

TEST(FileLock, WhoWaitedForARemovedFileHoldsTheNextOne) {
  const TempFolder temp("file_lock");
  const std::string path = temp.At("x.lock");
  std::optional<FileLock> first(std::in_place, path, "");
  const FileLock waiting(path, [&] {  // has opened the file by now
    first->RemoveFile();
    EXPECT_FALSE(PosixFs().Exists(path));
    first.reset();
  });
  EXPECT_NE(FailureOf([&] { FileLock(path, ""); }, ErrorCode::kUsage).find("another process"),
            std::string::npos);
}

TEST(FileLock, SaysWhatToDoWhereItCannotBeMade) {
  const TempFolder temp("file_lock");
  const std::string told =
      FailureOf([&] { FileLock(temp.At("missing/x.lock"), ""); }, ErrorCode::kCheckpoint);
  EXPECT_NE(told.find("can be written to"), std::string::npos) << told;
}

}  // namespace
}  // namespace graticule
