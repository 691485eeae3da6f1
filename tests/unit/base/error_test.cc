#include "base/error.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(Error, ReadsWhereThenWhatThenHint) {
  const Error error(ErrorCode::kData, "found 3 bytes, expected 8", "a.h5", "fetch it again");
  EXPECT_STREQ(error.what(), "a.h5: found 3 bytes, expected 8\n   fetch it again");
  EXPECT_EQ(error.exit_code(), 3);
}

TEST(Error, FailedCheckIsABugThatNamesExpressionAndPlace) {
  try {
    GRATICULE_CHECK(1 + 1 == 3, "arithmetic");
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBug);
    EXPECT_NE(error.message().find("1 + 1 == 3: arithmetic"), std::string::npos);
    EXPECT_NE(error.where().find("error_test.cc:"), std::string::npos);
  }
}

}  // namespace
}  // namespace graticule
