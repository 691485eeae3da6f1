#include "base/stored_zip.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/base/torch_samples.h"

namespace graticule {
namespace {

std::vector<StoredEntry> Read(const std::string& zip) {
  return ReadStoredZip({reinterpret_cast<const uint8_t*>(zip.data()), zip.size()}, "a.zip");
}

std::string Contents(const StoredEntry& entry) { return {entry.bytes.begin(), entry.bytes.end()}; }

TEST(StoredZip, FindsEntriesWithAndWithoutZip64) {
  for (const bool zip64 : {false, true}) {
    for (const bool end64 : {false, true}) {
      const std::string zip = MakeZip({{.name = "a/x", .bytes = "hello", .zip64 = zip64},
                                       {.name = "a/empty", .bytes = "", .place64 = zip64},
                                       {.name = "a/y", .bytes = std::string(70'000, 'z'), .zip64 = zip64}},
                                      end64);
      const auto entries = Read(zip);
      ASSERT_EQ(entries.size(), 3u);
      EXPECT_EQ(entries[0].name, "a/x");
      EXPECT_EQ(Contents(entries[0]), "hello");
      EXPECT_EQ(zip.substr(entries[0].offset, 5), "hello");
      EXPECT_EQ(entries[0].crc32, 0x3610a686u);  // published for "hello"
      EXPECT_TRUE(entries[1].bytes.empty());
      EXPECT_EQ(Contents(entries[2]), std::string(70'000, 'z'));
    }
  }
}

TEST(StoredZip, AnEmptyZipHasNoEntries) { EXPECT_TRUE(Read(MakeZip({})).empty()); }

TEST(StoredZip, RefusesWhatIsNotStoredInTheOpen) {
  EXPECT_NE(FailureOf([] {
              Read(MakeZip({{.name = "x", .bytes = "12", .method = 8}}));
            }).find("entry \"x\" is compressed (method 8), expected it stored"),
            std::string::npos);
  EXPECT_NE(FailureOf([] { Read(MakeZip({{.name = "x", .bytes = "12", .flags = 1}})); }).find("encrypted"),
            std::string::npos);
}

TEST(StoredZip, RefusesOverlapsAndNamesThatComeTwice) {
  // The second entry's directory points at the first one's header, whose name it shares.
  const std::string again = "x";
  const int64_t first = 30 + 1 + 7 + 2 + 16;
  EXPECT_NE(
      FailureOf([&] {
        Read(MakeZip({{.name = "x", .bytes = "12"}, {.name = again, .bytes = "12", .header_shift = -first}}));
      }).find("overlaps another"),
      std::string::npos);
  EXPECT_NE(FailureOf([] {
              Read(MakeZip({{"x", "12"}, {"x", "34"}}));
            }).find("comes twice"),
            std::string::npos);
}

TEST(StoredZip, RefusesEntriesOutsideOfTheFile) {
  for (const int64_t shift : {int64_t{1}, int64_t{1000}, int64_t{-1}})
    FailureOf([&] { Read(MakeZip({{.name = "x", .bytes = "12", .header_shift = shift}})); });
  FailureOf([&] {
    Read(MakeZip({{.name = "x", .bytes = "12", .zip64 = true, .header_shift = -(int64_t{1} << 62)}}));
  });
}

TEST(StoredZip, RefusesEveryCutAndATail) {
  const std::string zip = MakeZip({{"a", "12"}, {"b", "345"}});
  for (size_t n = 0; n < zip.size(); ++n) FailureOf([&] { Read(zip.substr(0, n)); });
  FailureOf([&] { Read(zip + "x"); });
}

// The CRC of the test's own builder and the one of the library agree with the published value.
TEST(StoredZip, ChecksumsAreThoseOfZip) {
  EXPECT_EQ(Crc32("123456789", 9), 0xCBF43926u);
  EXPECT_EQ(PlainCrc32("123456789"), 0xCBF43926u);
}

}  // namespace
}  // namespace graticule
