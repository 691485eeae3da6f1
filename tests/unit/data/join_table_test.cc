#include "data/import/join_table.h"

#include <gtest/gtest.h>

#include "base/memory_file.h"

namespace graticule {
namespace {

TEST(JoinTable, FindsRowsAndListsTheOthers) {
  JoinTable table(std::make_unique<CsvReader>(MemoryFile("id,v\na,1\nb,2\na,3\n,4\nc,5,6\nd,7\n"), "t.csv"),
                  0, [](std::string_view id) { return std::string(id); });
  ImportReport report;
  table.Build(report, [](const CsvRow&) { return true; });
  EXPECT_EQ(table.size(), 3);
  EXPECT_EQ(report.count("row_with_repeated_id"), 1);
  EXPECT_EQ(report.count("row_without_id"), 1);
  EXPECT_EQ(report.count("row_with_wrong_field_count"), 1);
  EXPECT_EQ(table.Find("a")->fields[1], "1");  // the first of the two
  EXPECT_FALSE(table.Find("b")->again);
  EXPECT_TRUE(table.Find("b")->again);
  EXPECT_FALSE(table.Find("zzz"));
  std::vector<std::string> unused;
  table.ForEachUnused(
      [&](const std::string& id, int64_t row) { unused.push_back(id + std::to_string(row)); });
  EXPECT_EQ(unused, (std::vector<std::string>{"d5"}));
}

}  // namespace
}  // namespace graticule
