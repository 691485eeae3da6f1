#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/fs.h"
#include "geo/cell_table.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

std::string Path(const std::string& name) {
  return (std::filesystem::path(::testing::TempDir()) / ("cell_csv_" + name)).string();
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
  const auto table = ImportCellCsv(Path("coarse.csv"));
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
  const auto table = ImportCellCsv(Path("published.csv"));
  for (int64_t row = 0; row < table->size(); ++row) EXPECT_EQ(table->CellOf(table->centres()[row]), row);
}

TEST(IsnCsv, LinksParentsThroughTheCells) {
  WriteFileAtomically(PosixFs(), Path("coarse.csv"), kCoarse);
  WriteFileAtomically(PosixFs(), Path("fine.csv"), kFine);
  const auto coarse = ImportCellCsv(Path("coarse.csv"));
  const auto fine = ImportCellCsv(Path("fine.csv"), coarse.get());
  EXPECT_EQ(fine->parents(), (std::vector<int64_t>{1, -1, 0}));
}

TEST(IsnCsv, WritesTheSameBytesItRead) {
  WriteFileAtomically(PosixFs(), Path("in.csv"), std::string("num_images: 9849\r\n") + (kCoarse + 15));
  ExportCellCsv(*ImportCellCsv(Path("in.csv")), Path("out.csv"));
  EXPECT_EQ(ReadFileToString(Path("out.csv")), ReadFileToString(Path("in.csv")));
}

TEST(IsnCsv, CarriesABuiltTableThroughUnchanged) {
  const auto built = BuildS2Cells(PhotoPlaces(5'000, 51), {.min_images = 10, .max_images = 100});
  ExportCellCsv(*built, Path("built.csv"));
  const auto back = ImportCellCsv(Path("built.csv"));
  EXPECT_EQ(back->s2_ids(), built->s2_ids());
  EXPECT_EQ(back->counts(), built->counts());
  EXPECT_EQ(back->centres(), built->centres());
}

TEST(IsnCsv, NamesTheLineItCannotRead) {
  auto message = [](std::string text) -> std::string {
    WriteFileAtomically(PosixFs(), Path("bad.csv"), text);
    try {
      ImportCellCsv(Path("bad.csv"));
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

// The first and the last leaf of the published quadtree (specification of OSV-5M's partition), and between
// them the leaf that the rule puts west of the last.
constexpr const char* kQuadtree =
    ",cluster_id,min_lat,min_lon,max_lat,max_lon,mean_lat,mean_lon\n"
    "0,0,-54.887208,-176.811309,-21.501436,-87.927885,-43.532155,-175.169654\n"
    "1,1,61.962996,45.397253,78.655882,89.838965,66.1,60.2\n"
    "2,2,61.962996,89.838965,78.655882,134.280677,69.0,100.5\n"
    "3,3,-54.887208,134.280677,-38.194322,178.722389,-43.1,171.2\n";

TEST(OsvCsv, FindsItsBoxesOnTheTreeThoughTheyAreRounded) {
  const auto table = ParseCellCsv(kQuadtree, "quadtree.csv");
  ASSERT_EQ(table->size(), 4);
  EXPECT_EQ(table->kind(), "quadtree");
  EXPECT_EQ(table->CellOf({-43.804769384023, -176.61409250805}), 0);  // the published first record
  for (int64_t row = 0; row < 4; ++row) EXPECT_EQ(table->CellOf(table->centres()[row]), row);
  EXPECT_EQ(table->CellOf({10, 10}), std::nullopt);
  EXPECT_EQ(table->Level(0), 2);
  EXPECT_EQ(table->Level(2), 3);
  EXPECT_EQ(table->centres()[0], (LatLon{-43.532155, -175.169654}));
  const Ring box = table->Rings(0)[0];
  EXPECT_NEAR(box[2].lat_deg, -21.501436, 1e-6);
}

TEST(OsvCsv, RefusesBoxesThatNoHalvingGives) {
  std::string text = kQuadtree;
  text.replace(text.find("61.962996,45.397253"), 19, "60.000000,45.397253");
  try {
    ParseCellCsv(text, "quadtree.csv");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cell 1"), std::string::npos) << error.what();
  }
}

TEST(OsvCsv, CarriesABuiltTableThroughUnchanged) {
  const std::vector<LatLon> places = PhotoPlaces(8'000, 53);
  const auto built = BuildQuadtreeCells(places, {.max_images = 60});
  ExportCellCsv(*built, Path("quadtree.csv"));
  const auto back = ImportCellCsv(Path("quadtree.csv"));
  ASSERT_EQ(back->size(), built->size());
  EXPECT_EQ(back->centres(), built->centres());
  for (int64_t row = 0; row < built->size(); ++row) ASSERT_EQ(back->Rings(row), built->Rings(row));
  for (const LatLon p : places) ASSERT_EQ(back->CellOf(p), built->CellOf(p));
}

TEST(PigeonCsv, ReadsBothFormsAndKeepsCentresAndSizes) {
  const auto as_read = ParseCellCsv(
      "lng,lat,size,polygon\n1.5,1.25,70,\"POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))\"\n"
      "9,1,8,\"POLYGON ((8 0, 10 0,\n 10 2, 8 2, 8 0))\"\n",
      "read.csv");
  EXPECT_EQ(as_read->kind(), "polygon");
  EXPECT_EQ(as_read->counts(), (std::vector<int64_t>{70, 8}));
  EXPECT_EQ(as_read->centres()[0], (LatLon{1.25, 1.5}));
  const auto as_written = ParseCellCsv(
      "name,admin_1,country,size,num_polygons,geometry\nA,\"B, C\",D,12,1,\"POLYGON ((0 0, 4 0, 4 4, 0 4, 0 "
      "0))\"\n",
      "written.csv");
  EXPECT_EQ(as_written->centres()[0], (LatLon{2, 2}));
  EXPECT_EQ(as_written->counts()[0], 12);
  EXPECT_EQ(as_written->CellOf({3, 3}), 0);
  ExportCellCsv(*as_read, Path("pigeon.csv"));
  EXPECT_EQ(ImportCellCsv(Path("pigeon.csv"))->Sha256(), as_read->Sha256());
}

TEST(PigeonCsv, NamesTheLineWhosePolygonIsNone) {
  try {
    ParseCellCsv("polygon\n\"POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))\"\nPOINT (1 1)\n", "shapes.csv");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("shapes.csv:3"), std::string::npos) << error.what();
  }
}

TEST(CellCsv, ParentsAreForS2CellsOnly) {
  const auto quadtree = ParseCellCsv(kQuadtree, "quadtree.csv");
  EXPECT_THROW(ParseCellCsv(kFine, "fine.csv", quadtree.get()), Error);
}

}  // namespace
}  // namespace graticule
