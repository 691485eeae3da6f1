#include "base/config/yaml_tree.h"

#include <gtest/gtest.h>

#include "base/fs.h"

namespace graticule {
namespace {

struct Parsed {
  YamlNode root;
  std::vector<ConfigIssue> issues;
};

Parsed Parse(const std::string& text) {
  Parsed parsed;
  parsed.root = ParseYaml(text, "f.yaml", true, parsed.issues);
  return parsed;
}

TEST(YamlTree, LocatesKeysAndValuesCountingFromOne) {
  const Parsed p = Parse("a: 1\nb:\n  c: [x, 'y']\n  d: ~\n");
  ASSERT_TRUE(p.issues.empty());
  EXPECT_EQ(p.root.entries[0].where, "f.yaml:1:1");
  EXPECT_EQ(p.root.entries[0].value.where, "f.yaml:1:4");
  const YamlNode* b = p.root.Find("b");
  EXPECT_EQ(b->entries[0].where, "f.yaml:3:3");
  EXPECT_EQ(b->Find("c")->items[1].where, "f.yaml:3:10");
  EXPECT_EQ(b->Find("c")->items[1].text, "y");
  EXPECT_TRUE(b->Find("c")->items[1].quoted);
  EXPECT_FALSE(b->Find("c")->items[0].quoted);
  EXPECT_EQ(b->Find("d")->kind, YamlNode::Kind::kNull);
}

TEST(YamlTree, ReportsEveryRepeatedKeyWithBothPlaces) {
  const Parsed p = Parse("a: 1\nb: {x: 1, x: 2}\na: 3\n");
  ASSERT_EQ(p.issues.size(), 2u);
  EXPECT_EQ(p.issues[0].where, "f.yaml:2:11");
  EXPECT_EQ(p.issues[1].where, "f.yaml:3:1");
  EXPECT_EQ(p.issues[1].message, "key \"a\" comes twice");
  EXPECT_EQ(p.issues[1].hint, "it was first given at f.yaml:1:1");
  EXPECT_EQ(p.root.Find("a")->text, "1");
}

TEST(YamlTree, RefusesTagsButNotQuotes) {
  EXPECT_TRUE(Parse("a: \"x\"\nb: 'y'\n").issues.empty());
  for (const char* text : {"a: !!int 3\n", "a: !foo x\n", "a: !!python/object:os.system x\n",
                           "a: !foo {b: 1}\n", "a: !<tag:x,2000:y> [1]\n"}) {
    const Parsed p = Parse(text);
    ASSERT_EQ(p.issues.size(), 1u) << text;
    EXPECT_NE(p.issues[0].message.find("tag"), std::string::npos);
    EXPECT_EQ(p.issues[0].where.substr(0, 9), "f.yaml:1:");
  }
}

TEST(YamlTree, ExpandsAliasesAsCopies) {
  const Parsed p = Parse("a: &x {k: [1, 2]}\nb: *x\nc: *x\n");
  ASSERT_TRUE(p.issues.empty());
  EXPECT_EQ(p.root.Find("b")->Find("k")->items[1].text, "2");
  EXPECT_EQ(ShowYaml(*p.root.Find("c")), "{k: [1, 2]}");
}

TEST(YamlTree, StopsAnAliasBombAtItsLine) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i <= 9; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) bomb += (j ? ",*a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  const Parsed p = Parse(bomb);
  ASSERT_EQ(p.issues.size(), 1u);
  EXPECT_EQ(p.issues[0].where.substr(0, 9), "f.yaml:5:") << p.issues[0].where;
  EXPECT_NE(p.issues[0].message.find("50000 values"), std::string::npos);
}

TEST(YamlTree, RefusesAnAliasInsideOfItsAnchor) {
  EXPECT_EQ(Parse("a: &x [1, *x]\n").issues.size(), 1u);
  EXPECT_EQ(Parse("a: *nobody\n").issues.size(), 1u);
}

TEST(YamlTree, LimitsDepthInBothStyles) {
  const auto flow = [](int depth) {
    return "a: " + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "\n";
  };
  EXPECT_TRUE(Parse(flow(32)).issues.empty());
  ASSERT_EQ(Parse(flow(33)).issues.size(), 1u);
  EXPECT_EQ(Parse(flow(33)).issues[0].where, "f.yaml:1:35");
  EXPECT_EQ(Parse(flow(10000)).issues.size(), 1u);
  std::string block;
  for (int i = 0; i < 40; ++i) block += std::string(i, ' ') + "a:\n";
  EXPECT_EQ(Parse(block).issues.size(), 1u);
  // 20 levels below an alias that stands 20 levels deep.
  EXPECT_EQ(Parse("a: &x " + std::string(20, '[') + std::string(20, ']') + "\nb: " + std::string(20, '[') +
                  "*x" + std::string(20, ']') + "\n")
                .issues.size(),
            1u);
}

TEST(YamlTree, RefusesBytesThatAreNoTextWithTheirLine) {
  EXPECT_EQ(Parse(std::string("a: 1\nb: \0\n", 10)).issues.at(0).where, "f.yaml:2:1");
  EXPECT_EQ(Parse("a: 1\n\nb: \xff\n").issues.at(0).where, "f.yaml:3:1");
  EXPECT_EQ(Parse("a: \xed\xa0\x80\n").issues.size(), 1u);
}

TEST(YamlTree, RefusesEscapesThatWouldBecomeLatin1) {
  for (const char* text : {"a: \"\\N\"\n", "a: \"\\_\"\n"}) {
    const Parsed parsed = Parse(text);
    ASSERT_EQ(parsed.issues.size(), 1u) << text;
    EXPECT_EQ(parsed.issues[0].where, "f.yaml:1:4");
  }
  const Parsed good = Parse("a: \"\\u0085\\u00a0\"\n");
  EXPECT_TRUE(good.issues.empty());
  EXPECT_EQ(good.root.entries.at(0).value.text, "\xc2\x85\xc2\xa0");
}

TEST(YamlTree, RefusesBigFilesMissingFilesAndSecondDocuments) {
  EXPECT_EQ(Parse("a: " + std::string(1 << 20, 'x')).issues.size(), 1u);
  EXPECT_EQ(Parse("a: 1\n---\nb: 2\n").issues.at(0).where, "f.yaml:2:1");
  std::vector<ConfigIssue> issues;
  ParseYamlFile("/nonexistent/x.yaml", issues);
  ASSERT_EQ(issues.size(), 1u);
  EXPECT_EQ(issues[0].where, "/nonexistent/x.yaml");
}

TEST(YamlTree, LocatesSyntaxErrors) {
  const Parsed p = Parse("a: 1\nb: [1, 2\nc: 3\n");
  ASSERT_EQ(p.issues.size(), 1u);
  EXPECT_EQ(p.issues[0].where.substr(0, 7), "f.yaml:");
  EXPECT_EQ(Parse("? {a: 1}\n: 2\n").issues.size(), 1u);
}

TEST(YamlTree, QuotesWhateverCouldBeMisread) {
  for (const char* text :
       {"",         "null",   "true",      "no",          "3",        "-1.5",
        "a b",      "x: y",   "#c",        "*a",          "&a",       "!t",
        "~",        " x",     "tab\there", "line\nbreak", "quote\"s", "back\\slash",
        "\x01\x7f", "Zürich", ".inf",      "1e3",         "@x",       "`x`",
        "%x",       "- x",    "[x]",       "{x}",         "a,b",      "plain/path_1.yaml"}) {
    std::vector<ConfigIssue> issues;
    const YamlNode node = ParseYaml("[" + QuoteYaml(text) + "]", "t", true, issues);
    ASSERT_TRUE(issues.empty()) << text;
    ASSERT_EQ(node.items.size(), 1u) << text;
    EXPECT_EQ(node.items[0].kind, YamlNode::Kind::kScalar) << text;
    EXPECT_EQ(node.items[0].text, text);
  }
  EXPECT_EQ(QuoteYaml("plain/path_1.yaml"), "plain/path_1.yaml");
}

}  // namespace
}  // namespace graticule
