#include "base/text.h"

#include <gtest/gtest.h>

namespace graticule {
namespace {

TEST(Text, CountsEditsAndSwappedLetters) {
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("weight_decya", "weight_decay"), 1u);
  EXPECT_EQ(EditDistance("same", "same"), 0u);
}

TEST(Text, SuggestsOnlyNamesThatALapseExplains) {
  const std::vector<std::string> known = {"lr", "weight_decay", "beta1", "beta2", "eps"};
  EXPECT_EQ(Nearest("weight_decy", known), "weight_decay");
  EXPECT_EQ(Nearest("beta3", known), "beta1");
  EXPECT_EQ(Nearest("l", known), "lr");
  EXPECT_EQ(Nearest("momentum", known), "");
}

TEST(Text, KnowsWellFormedUtf8) {
  EXPECT_TRUE(IsUtf8("Zürich 東京 🌍"));
  EXPECT_TRUE(IsUtf8("\xF4\x8F\xBF\xBF"));
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xFF", "\xE2\x82", "\xF0\x80\x80\x80"}) {
    for (const char* before : {"", "seven..", "eight...", "more than eight"})
      for (const char* behind : {"", "more than eight"})
        EXPECT_FALSE(IsUtf8(std::string(before) + bad + behind)) << before << Printable(bad) << behind;
  }
}

TEST(Text, MakesForeignTextPrintable) {
  EXPECT_EQ(Printable("a\n\x1b[2Jé\xff"), "a\\x0a\\x1b[2Jé\\xff");
  EXPECT_EQ(Printable("abcdef", 3), "abc...");
}

TEST(Text, CountsOneAndMany) {
  EXPECT_EQ(Counted(0, "image"), "0 images");
  EXPECT_EQ(Counted(1, "image"), "1 image");
  EXPECT_EQ(Counted(21, "image"), "21 images");
  EXPECT_EQ(Counted(1, "copy", "copies"), "1 copy");
  EXPECT_EQ(Counted(2, "copy", "copies"), "2 copies");
}

}  // namespace
}  // namespace graticule
