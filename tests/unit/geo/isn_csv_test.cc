#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/fs.h"
#include "geo/cell_table.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

std::string Path(const std::string& name) {
  return (std::filesystem::path(::testing::TempDir()) / ("isn_" + name)).string();
}

// Cells of real partitions around Paris: what the class of a place must be follows from the tokens.
constexpr const char* kCoarse =
    "num_images: 3\r\nmin_concept_probability: ---\r\n"
    "class_label,hex_id,imgs_per_cell,latitude_mean,longitude_mean\r\n"
    "0,8744,3376,39.28162046949048,-107.94343695171831\r\n"
    "1,47e67,1521,48.87350685733063,2.2957188040762655\r\n"
    "2,0f,4952,11.614377453150261,-9.831330920436127\r\n";
constexpr const char* kFine =
    "num_images: 3\r\nmin_concept_probability: ---\r\n"
    "class_label,hex_id,imgs_per_cell,latitude_mean,longitude_mean\r\n"
    "0,47e66fec,1521,48.87350685733063,2.2957188040762655\r\n"
    "1,40f,1932,45.3541866630434,37.62616026449278\r\n"
    "2,8744,3376,39.28162046949048,-107.94343695171831\r\n";

TEST(IsnCsv, KeepsFileOrderCountsAndMeans) {
  WriteFileAtomically(PosixFs(), Path("coarse.csv"), kCoarse);
  const auto table = ImportIsnCsv(Path("coarse.csv"));
  ASSERT_EQ(table->size(), 3);
  EXPECT_EQ(table->s2_ids()[1], 0x47e6700000000000u);
  EXPECT_EQ(table->counts(), (std::vector<int64_t>{3376, 1521, 4952}));
  EXPECT_EQ(table->centres()[2], (LatLon{11.614377453150261, -9.831330920436127}));
  EXPECT_EQ(table->CellOf({48.8584, 2.2945}), 1);
  for (int64_t row = 0; row < 3; ++row) EXPECT_EQ(table->CellOf(table->centres()[row]), row);
  EXPECT_EQ(table->CellOf({-45, 170}), std::nullopt);
}

// Rows of the published coarse partition: each mean place lies in its own cell, over all faces and levels 2
// to 14.
TEST(IsnCsv, AgreesWithThePublishedPartition) {
  WriteFileAtomically(PosixFs(), Path("published.csv"),
                      "class_label,hex_id,imgs_per_cell,latitude_mean,longitude_mean\n"
                      "0,8744,3376,39.28162046949048,-107.94343695171831\n"
                      "1,364,2728,35.9593396631232,108.13288446407641\n"
                      "2,89c6c74,235,39.98461821276593,-75.21640030212768\n"
                      "3,33ac,2937,10.074130299965942,123.51059847327231\n"
                      "4,80858064,3516,37.79360935973993,-122.39572840671183\n"
                      "5,0f,4952,11.614377453150261,-9.831330920436127\n"
                      "6,4876034c,3683,51.507765811023624,-0.07717788188976363\n"
                      "7,94ce54,3633,-23.57806987806219,-46.69964250261486\n"
                      "8,6ad67,3461,-37.881414922565604,144.98150598497588\n"
                      "9,808f7e34,792,37.76137516919194,-122.4082476426765\n"
                      "10,aa4,4365,-42.393345523253096,147.0787928490263\n"
                      "11,7c001,1133,21.330363244483678,-157.70249624095305\n"
                      "12,67,709,13.897449370944996,145.0139619746122\n"
                      "13,40f,1932,45.3541866630434,37.62616026449278\n"
                      "14,48d1,957,63.96424870010448,-17.89670694252874\n");
  const auto table = ImportIsnCsv(Path("published.csv"));
  for (int64_t row = 0; row < table->size(); ++row) EXPECT_EQ(table->CellOf(table->centres()[row]), row);
}

TEST(IsnCsv, LinksParentsThroughTheCells) {
  WriteFileAtomically(PosixFs(), Path("coarse.csv"), kCoarse);
  WriteFileAtomically(PosixFs(), Path("fine.csv"), kFine);
  const auto coarse = ImportIsnCsv(Path("coarse.csv"));
  const auto fine = ImportIsnCsv(Path("fine.csv"), coarse.get());
  EXPECT_EQ(fine->parents(), (std::vector<int64_t>{1, -1, 0}));
}

TEST(IsnCsv, WritesTheSameBytesItRead) {
  WriteFileAtomically(PosixFs(), Path("in.csv"), std::string("num_images: 9849\r\n") + (kCoarse + 15));
  ExportIsnCsv(*ImportIsnCsv(Path("in.csv")), Path("out.csv"));
  EXPECT_EQ(ReadFileToString(Path("out.csv")), ReadFileToString(Path("in.csv")));
}

TEST(IsnCsv, CarriesABuiltTableThroughUnchanged) {
  const auto built = BuildS2Cells(PhotoPlaces(5'000, 51), {.min_images = 10, .max_images = 100});
  ExportIsnCsv(*built, Path("built.csv"));
  const auto back = ImportIsnCsv(Path("built.csv"));
  EXPECT_EQ(back->s2_ids(), built->s2_ids());
  EXPECT_EQ(back->counts(), built->counts());
  EXPECT_EQ(back->centres(), built->centres());
  EXPECT_THROW(ExportIsnCsv(*BuildQuadtreeCells(PhotoPlaces(100, 52), {}), Path("no.csv")), Error);
}

TEST(IsnCsv, NamesTheLineItCannotRead) {
  auto message = [](std::string text) -> std::string {
    WriteFileAtomically(PosixFs(), Path("bad.csv"), text);
    try {
      ImportIsnCsv(Path("bad.csv"));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      return error.what();
    }
    return "accepted";
  };
  auto edited = [](std::string from, std::string to) {
    std::string text = kCoarse;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_NE(message(edited("47e67", "47e6x")).find("bad.csv:5: \"47e6x\""), std::string::npos);
  EXPECT_NE(message(edited("1,47e67", "7,47e67")).find("class_label 7"), std::string::npos);
  EXPECT_NE(message(edited(",1521,", ",many,")).find("imgs_per_cell"), std::string::npos);
  EXPECT_NE(message(edited("48.87350685733063", "98.8")).find("mean place"), std::string::npos);
  EXPECT_NE(message(edited(",1521", "")).find("4 fields"), std::string::npos);
  EXPECT_NE(message(edited("0f,", "875,")).find("overlap"), std::string::npos);
  EXPECT_NE(message("id,lat,lon\n").find("no header"), std::string::npos);
}

}  // namespace
}  // namespace graticule
