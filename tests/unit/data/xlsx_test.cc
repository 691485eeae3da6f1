#include "data/import/xlsx.h"

#include <gtest/gtest.h>

#include "data/import/street360loc.h"
#include "data/synth/archive_writer.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

using Rows = std::vector<XlsxRow>;
using Parts = std::map<std::string, std::string>;

constexpr char kBook[] =
    "<x:workbook xmlns:x='m' xmlns:r='o'><x:sheets><x:sheet name='First' sheetId='7' r:id='rId3'/>"
    "<x:sheet name='T&amp;x' sheetId='1' r:id='rId1'/></x:sheets></x:workbook>";
constexpr char kRelations[] =
    "<Relationships xmlns='p'><Relationship Id='rId1' Target='/xl/worksheets/b.xml'/>"
    "<Relationship Id='rId3' Target='worksheets/a.xml'/></Relationships>";

class XlsxTest : public testing::Test {
 protected:
  std::string Write(const std::string& sheet, const Parts& others = {}) {
    Parts parts = {{"xl/workbook.xml", kBook},
                   {"xl/_rels/workbook.xml.rels", kRelations},
                   {"xl/worksheets/a.xml", "<worksheet><sheetData>" + sheet + "</sheetData></worksheet>"},
                   {"xl/media/picture.png", "not looked at"}};
    for (const auto& [name, text] : others) parts[name] = text;
    const std::string path = folder_ / "book.xlsx";
    ArchiveWriter zip(path, ArchiveWriter::Format::kStoredZip);
    for (const auto& [name, text] : parts) {
      if (!text.empty()) zip.AddFile(name, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    }
    zip.Close();
    return path;
  }
  std::string Refusal(const std::string& sheet, const Parts& others = {}, const XlsxLimits& limits = {}) {
    return FailureOf([&] { ReadXlsx(Write(sheet, others), "", limits); });
  }
  TemporaryFolder folder_;
};

TEST_F(XlsxTest, ReadsEveryKindOfCell) {
  const Rows rows =
      ReadXlsx(Write("<row r='1'><c r='A1' t='s'><v>1</v></c><c r='B1' t='s'><v>0</v></c></row>"
                     "<row r='2'><c r='A2'><v>-1.25E-3</v></c><c r='B2' t='inlineStr'><is><r><t>in "
                     "</t></r><r><t>place</t></r></is></c>"
                     "<c r='C2' t='str'><f>A1&amp;B1</f><v>of a formula</v></c><c r='D2' "
                     "t='b'><v>1</v></c><c r='E2' t='e'><v>#N/A</v></c></row>",
                     {{"xl/sharedStrings.xml",
                       "<sst><si><t xml:space='preserve'> caf\xC3\xA9 &lt; "
                       "</t></si><si><r><rPr/><t>ri</t></r><r><t>ch</t></r>"
                       "<rPh sb='0' eb='1'><t>guide</t></rPh></si></sst>"}}));
  EXPECT_EQ(rows, (Rows{{"rich", " caf\xC3\xA9 < "}, {"-1.25E-3", "in place", "of a formula", "1"}}));
}

TEST_F(XlsxTest, RowsAndCellsInsideOfCellsAreRefused) {
  EXPECT_NE(Refusal("<row r='1'><c r='A1'><v>x</v><row r='2'></row></c></row>").find("inside a cell"),
            std::string::npos);
  EXPECT_NE(Refusal("<row r='1'><c r='A1'><c r='B1'/><v>x</v></c></row>").find("inside a cell"),
            std::string::npos);
}

TEST_F(XlsxTest, SharedStringsCountToo) {
  std::string strings = "<sst>";
  for (int i = 0; i < 101; ++i) strings += "<si/>";
  const Parts parts = {{"xl/sharedStrings.xml", strings + "</sst>"}};
  EXPECT_NE(Refusal("<row r='1'><c r='A1'><v>1</v></c></row>", parts, {.cells = 100}).find("shared strings"),
            std::string::npos);
}

TEST_F(XlsxTest, GapsAreEmptyAndMissingReferencesFollowOn) {
  EXPECT_EQ(ReadXlsx(Write("<row r='2'><c r='B2'><v>1</v></c><c><v>2</v></c><c r='AB2'><v>3</v></c></row>"
                           "<row><c><v>4</v></c><c r='C3'/></row>")),
            (Rows{{},
                  {"", "1", "2", "", "", "", "", "", "", "", "", "", "", "",
                   "", "",  "",  "", "", "", "", "", "", "", "", "", "", "3"},
                  {"4"}}));
}

TEST_F(XlsxTest, FindsASheetByName) {
  const std::string path =
      Write("<row><c><v>1</v></c></row>",
            {{"xl/worksheets/b.xml", "<worksheet><row><c><v>2</v></c></row></worksheet>"}});
  EXPECT_EQ(ReadXlsx(path), (Rows{{"1"}}));
  EXPECT_EQ(ReadXlsx(path, "First"), (Rows{{"1"}}));
  EXPECT_EQ(ReadXlsx(path, "T&x"), (Rows{{"2"}}));
  EXPECT_NE(FailureOf([&] { ReadXlsx(path, "Third"); }).find("there is First, T&x"), std::string::npos);
}

TEST_F(XlsxTest, RefusesWhatUnfolds) {
  const std::string bomb =
      "<!DOCTYPE b [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b "
      "'&a;&a;&a;&a;&a;&a;&a;&a;'>]><sst><si><t>&b;</t></si></sst>";
  EXPECT_NE(Refusal("<row/>", {{"xl/sharedStrings.xml", bomb}}).find("document type"), std::string::npos);
  const XlsxLimits small{.xml_bytes = 2000, .text_bytes = 100, .cells = 20};
  EXPECT_NE(Refusal("<!--" + std::string(2000, 'x') + "-->", {}, small).find("more than 2000 bytes"),
            std::string::npos);
  EXPECT_NE(Refusal("<row><c r='U1'><v>1</v></c></row>", {}, small).find("more than 20 cells"),
            std::string::npos);
  EXPECT_NE(Refusal("<row r='21'/>", {}, small).find("more than 20 cells"), std::string::npos);
  const Parts shared = {{"xl/sharedStrings.xml", "<sst><si><t>" + std::string(40, 'x') + "</t></si></sst>"}};
  std::string cells;
  for (int i = 0; i < 3; ++i) cells += "<c t='s'><v>0</v></c>";
  EXPECT_NE(Refusal("<row>" + cells + "</row>", shared, small).find("more than 100 bytes of text"),
            std::string::npos);
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "<a>";
  EXPECT_NE(Refusal(deep).find("nested"), std::string::npos);
}

TEST_F(XlsxTest, DamageIsOneMessageThatNamesThePart) {
  for (const auto& [sheet, text] : std::vector<std::pair<std::string, std::string>>{
           {"<row><c", "xl/worksheets/a.xml"},
           {"<row><c t='s'><v>0</v></c></row>", "shared string \"0\" of 0"},
           {"<row><c t='s'><v>-1</v></c></row>", "shared string \"-1\""},
           {"<row r='2'/><row r='2'/>", "cannot follow row 2"},
           {"<row r='0'/>", "cannot follow row 0"},
           {"<row r='1048577'/>", "cannot follow"},
           {"<row><c r='B1'/><c r='A1'/></row>", "\"A1\" cannot follow column 2"},
           {"<row><c r='XFE1'/></row>", "\"XFE1\""},
           {"<row><c r='7'/></row>", "\"7\""},
           {"<c><v>1</v></c>", "outside the rows"},
           {"<row>\xFF</row>", "XML"}}) {
    EXPECT_NE(Refusal(sheet).find(text), std::string::npos) << sheet << "\n" << Refusal(sheet);
  }
  EXPECT_NE(Refusal("", {{"xl/workbook.xml", ""}}).find("no workbook"), std::string::npos);
  EXPECT_NE(Refusal("", {{"xl/worksheets/a.xml", ""}}).find("xl/worksheets/a.xml is missing"),
            std::string::npos);
}

TEST(Street360Loc, KnowsARefusalFromADescriptionOfOne) {
  for (const char* text : {"I'm unable to view the image.", "Sorry, I CAN\xE2\x80\x99T see images directly",
                           "I am not able to analyze photos", "I cannot directly process the picture"}) {
    EXPECT_TRUE(IsRefusal(text)) << text;
  }
  for (const char* text : {"From left to right: a wide view of trees", "a sign reading no access",
                           "1. A tall building one can see from afar", ""}) {
    EXPECT_FALSE(IsRefusal(text)) << text;
  }
}

}  // namespace
}  // namespace graticule
