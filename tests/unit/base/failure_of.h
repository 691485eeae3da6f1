// The message of an error that a call must raise.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace graticule {

// Runs `call`, which must throw Error(code), and returns its text.
template <typename Call>
std::string FailureOf(Call call, ErrorCode code = ErrorCode::kData) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "did not throw";
  return "";
}

}  // namespace graticule
