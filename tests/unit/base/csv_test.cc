#include "base/csv.h"

#include <gtest/gtest.h>

#include "base/memory_file.h"
#include "tests/unit/base/failure_of.h"

namespace graticule {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows ReadAll(const std::string& text) {
  CsvReader csv(MemoryFile(text), "t.csv");
  Rows rows{csv.header()};
  CsvRow row;
  while (csv.Next(row)) {
    rows.push_back(row.fields);
    EXPECT_EQ(csv.ReadAt(row.offset, row.bytes), row.fields);
  }
  return rows;
}

TEST(Csv, ReadsQuotesCommasAndLineBreaksInsideFields) {
  EXPECT_EQ(ReadAll("a,b,c\r\n1,\"x, y\",\"say \"\"hi\"\"\"\r\n2,\"two\nlines\",\r\n"),
            (Rows{{"a", "b", "c"}, {"1", "x, y", "say \"hi\""}, {"2", "two\nlines", ""}}));
}

TEST(Csv, TakesByteOrderMarkAnyLineEndAndNoLineEnd) {
  EXPECT_EQ(ReadAll("\xEF\xBB\xBF\"id\",lat\n1,2\n"), (Rows{{"id", "lat"}, {"1", "2"}}));
  EXPECT_EQ(ReadAll("a,b\r1,2\r3,4"), (Rows{{"a", "b"}, {"1", "2"}, {"3", "4"}}));
  EXPECT_EQ(ReadAll("a\n\n1\n\r\n2\n"), (Rows{{"a"}, {"1"}, {"2"}}));
  EXPECT_EQ(ReadAll("a,b\n,\n"), (Rows{{"a", "b"}, {"", ""}}));
}

TEST(Csv, ReadsWhatIsNotUtf8AsLatin1AndSaysSo) {
  CsvReader csv(MemoryFile("a,b\nZ\xFCrich,Z\xC3\xBCrich\n\xC3\xBC,1\n\x80\xFF,caf\xE9\n"), "t.csv");
  CsvRow row;
  ASSERT_TRUE(csv.Next(row));
  EXPECT_EQ(row.fields, (std::vector<std::string>{"Zürich", "Zürich"}));
  EXPECT_TRUE(row.recoded);
  EXPECT_EQ(csv.ReadAt(row.offset, row.bytes), row.fields);
  ASSERT_TRUE(csv.Next(row));
  EXPECT_FALSE(row.recoded);
  ASSERT_TRUE(csv.Next(row));
  EXPECT_EQ(row.fields, (std::vector<std::string>{"\u0080ÿ", "café"}));
}

TEST(Csv, NamesTheLineOfANulByte) {
  const std::string nul(1, '\0');
  EXPECT_NE(FailureOf([&] { ReadAll("a,b\n1,2\n3," + nul + "\n"); }).find("t.csv:3: a NUL byte, at byte 10"),
            std::string::npos);
  std::string text = "a,b\n";
  for (int i = 0; i < 300'000; ++i) text += "1,\"x\ny\"\n";  // beyond the first block, two lines a row
  EXPECT_NE(FailureOf([&] {
              ReadAll(text + std::string(20 << 20, 0));
            }).find("t.csv:600002: a NUL byte, at byte " + std::to_string(text.size())),
            std::string::npos);
}

TEST(Csv, KeepsRecordsWholeAcrossReadBlocks) {
  std::string text = "id,text\n";
  Rows expected{{"id", "text"}};
  for (int i = 0; i < 3000; ++i) {
    const std::string body(static_cast<size_t>(i % 1500), static_cast<char>('a' + i % 26));
    text += std::to_string(i) + ",\"" + body + "\n,\"\r\n";
    expected.push_back({std::to_string(i), body + "\n,"});
  }
  EXPECT_EQ(ReadAll(text), expected);
}

TEST(Csv, SaysWhereAQuoteIsWrong) {
  EXPECT_NE(FailureOf([] { ReadAll("a,b\n1,2\n3,\"open\n5,6\n"); }).find("t.csv:3"), std::string::npos);
  EXPECT_NE(FailureOf([] { ReadAll("a,b\n1,\"x\"y\n"); }).find("t.csv:2"), std::string::npos);
  EXPECT_NE(FailureOf([] { ReadAll(""); }).find("empty"), std::string::npos);
  EXPECT_NE(FailureOf([] { ReadAll("a,b,a\n"); }).find("\"a\" occurs twice"), std::string::npos);
}

TEST(Csv, ReadsTabsWithoutHeaderAndWithoutQuotes) {
  CsvReader csv(MemoryFile("1\t\"half\ta,b\n2\tq\"\t\n"), "t.tsv", {'\t', {"id", "title", "tags"}});
  CsvRow row;
  ASSERT_TRUE(csv.Next(row));
  EXPECT_EQ(row.fields, (std::vector<std::string>{"1", "\"half", "a,b"}));
  EXPECT_EQ(csv.ReadAt(row.offset, row.bytes), row.fields);
  ASSERT_TRUE(csv.Next(row));
  EXPECT_EQ(row.fields, (std::vector<std::string>{"2", "q\"", ""}));
  EXPECT_TRUE(row.complete);
  EXPECT_EQ(row.row, 1);
  EXPECT_FALSE(csv.Next(row));
}

TEST(Csv, KnowsWhatSpreadsheetsWriteInsteadOfCommas) {
  EXPECT_NE(FailureOf([] { ReadAll("image;lat;lon\na.jpg;1,5;2,5\n"); }).find("not divided by commas"),
            std::string::npos);
  EXPECT_NE(FailureOf([] { ReadAll("image\tlat\n"); }).find("not divided by commas"), std::string::npos);
  EXPECT_NE(FailureOf([] { ReadAll(std::string("\xFF\xFEi\0d\0", 6)); }).find("UTF-16"), std::string::npos);
}

TEST(Csv, FindsColumnsByNameWhateverTheirOrder) {
  const CsvReader csv(MemoryFile("Longitude,id,LAT\n"), "t.csv");
  EXPECT_EQ(csv.FindAny({"lat", "latitude"}), 2u);
  EXPECT_EQ(csv.FindAny({"lon", "longitude"}), 0u);
  EXPECT_EQ(csv.Find("Id"), std::nullopt);
  const std::string message = FailureOf([&] { csv.Require({"elev_m"}); });
  EXPECT_NE(message.find("Longitude, id, LAT"), std::string::npos) << message;
}

TEST(Csv, ConvertsWholeFieldsOnly) {
  EXPECT_EQ(ToDouble(" -43.804769384023"), -43.804769384023);
  EXPECT_EQ(ToDouble("1e3"), 1000);
  EXPECT_EQ(ToDouble("1.5x"), std::nullopt);
  EXPECT_EQ(ToDouble("1,5"), std::nullopt);
  EXPECT_EQ(ToDouble(""), std::nullopt);
  EXPECT_EQ(ToInt("4.0"), 4);
  EXPECT_EQ(ToInt("4.5"), std::nullopt);
  EXPECT_EQ(ToInt("1622554127000"), 1622554127000);
  EXPECT_TRUE(IsMissing("NaN"));
  EXPECT_TRUE(IsMissing(" "));
  EXPECT_FALSE(IsMissing("0"));
}

}  // namespace
}  // namespace graticule
