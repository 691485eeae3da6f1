#include "base/base64.h"

#include <gtest/gtest.h>

#include <string_view>

namespace graticule {
namespace {

std::string Of(std::string_view text) {
  return Base64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

TEST(Base64, EqualsTheVectorsOfRfc4648) {
  EXPECT_EQ(Of(""), "");
  EXPECT_EQ(Of("f"), "Zg==");
  EXPECT_EQ(Of("fo"), "Zm8=");
  EXPECT_EQ(Of("foo"), "Zm9v");
  EXPECT_EQ(Of("foob"), "Zm9vYg==");
  EXPECT_EQ(Of("fooba"), "Zm9vYmE=");
  EXPECT_EQ(Of("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace graticule
