#include "data/import/layout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/memory_file.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

// Maps every row of a table, as an import would.
struct Mapped {
  std::vector<RecordRow> rows;
  std::vector<std::string> ids;
  Dictionaries dictionaries;
  ImportReport report;
  std::string Name(const char* level, size_t row, Col col) const {
    return std::string(dictionaries.at(level).pool().at(static_cast<size_t>(rows[row].Int(col))));
  }
};
template <typename Make>
Mapped MapAll(const std::string& text, Make make) {
  Mapped out;
  CsvReader csv(MemoryFile(text), "t.csv");
  const std::unique_ptr<Layout> layout = make(csv);
  CsvRow row;
  while (csv.Next(row)) {
    if (!layout->Scan(row, out.dictionaries, out.report)) continue;
    layout->Map(row.fields, out.dictionaries, out.report, out.rows.emplace_back());
    out.ids.push_back(layout->Id(row.fields));
  }
  return out;
}

constexpr char kOsvHeader[] =
    "id,latitude,longitude,thumb_original_url,country,sequence,captured_at,lon_bin,lat_bin,cell,region,sub-"
    "region,city,"
    "land_cover,road_index,drive_side,climate,soil,dist_sea,quadtree_10_5000,quadtree_10_25000,quadtree_10_"
    "1000,"
    "quadtree_10_50000,quadtree_10_12500,quadtree_10_500,quadtree_10_2500,unique_region,unique_sub-region,"
    "unique_city,"
    "unique_country,creator_username,creator_id\n";

// The golden row of the format description.
constexpr char kGolden[] =
    "3859149887465501,-43.804769384023,-176.61409250805,https://x/?a=1,NZ,seq-1,1622554127000.0,0,8,\"(0, "
    "8)\",Chatham "
    "Islands,,Waitangi,4.0,4.661764145,1.0,15.0,3.0,0.0068841379890803,0,0,0,0,0,0,0,Chatham "
    "Islands_NZ,,Waitangi_NaN_Chatham Islands_NZ,NZ,someone,104232611816.0\n";

TEST(Osv5mLayout, ReadsTheGoldenRow) {
  const Mapped m = MapAll(std::string(kOsvHeader) + kGolden, MakeOsv5mLayout);
  ASSERT_EQ(m.rows.size(), 1u);
  const RecordRow& row = m.rows[0];
  EXPECT_EQ(m.ids[0], "3859149887465501");
  EXPECT_EQ(row.Int(Col::kIdU64), 3859149887465501);
  EXPECT_EQ(row.Float(Col::kLat), -43.804769384023);
  EXPECT_EQ(row.Float(Col::kLon), -176.61409250805);
  EXPECT_EQ(row.Int(Col::kCountryIso), 554);
  EXPECT_EQ(row.Int(Col::kCapturedMs), 1622554127000);
  EXPECT_EQ(row.Int(Col::kMonth), 6);  // 2021-06-01T13:28:47Z
  EXPECT_EQ(row.Int(Col::kLandcover), 4);
  EXPECT_EQ(row.Int(Col::kClimate), 15);
  EXPECT_EQ(row.Int(Col::kSoil), 3);
  EXPECT_EQ(row.Int(Col::kDriveLeft), 1);
  EXPECT_DOUBLE_EQ(row.Float(Col::kRoadIndex), 4.661764145f);
  EXPECT_EQ(row.Int(Col::kQuadtree1000), 0);
  EXPECT_FALSE(row.IsMissing(Col::kQuadtree50000));
  EXPECT_EQ(m.Name("region", 0, Col::kRegion), "Chatham Islands_NZ");
  EXPECT_EQ(m.Name("city", 0, Col::kCity), "Waitangi_NaN_Chatham Islands_NZ");
  EXPECT_TRUE(row.IsMissing(Col::kSubregion));
  EXPECT_EQ(m.Name("creator", 0, Col::kCreator), "someone");
  EXPECT_FALSE(row.IsMissing(Col::kSeqHash));
  EXPECT_FALSE(row.IsMissing(Col::kAuthorHash));
}

TEST(Osv5mLayout, ReadsNamibiaAndLeavesOutImpossiblePlaces) {
  const Mapped m = MapAll(
      "id,latitude,longitude,country,unique_country\n1,-22.5,17.0,NA,NA\n2,-22.5,17.1,NMB,NA\n3,91,0,FR,"
      "FR\n4,,,FR,FR\n"
      "5,10,-180,FR,FR\n6,x,1,FR,FR\n7,inf,1,FR,FR\n8,10,181,FR,FR\n9,0.0,0,FR,FR\n10,0,1,FR,FR\n"
      "11,10,-180.001,FR,FR\n",
      MakeOsv5mLayout);
  ASSERT_EQ(m.rows.size(), 4u);
  EXPECT_EQ(m.rows[0].Int(Col::kCountryIso), 516);
  EXPECT_EQ(m.rows[1].Int(Col::kCountryIso), 516);
  EXPECT_EQ(m.Name("country", 0, Col::kCountry), "NA");
  EXPECT_EQ(m.rows[2].Float(Col::kLon), -180);
  EXPECT_EQ(m.rows[3].Float(Col::kLon), 1);
  EXPECT_EQ(m.report.count("bad_coordinates"), 7);
}

TEST(Layout, OnlyTablesOfOnesOwnCountLongitudesTo360AndOnlyTestSetsKeepTheOrigin) {
  const auto kept = [](const char* header, const char* rest, const auto& make) {
    std::vector<std::pair<double, double>> places;
    std::string table = header;
    for (const char* place : {"10,200", "0,0", "-0.0,0.0", "0,360", "10,20"})
      table += std::string("a,") + place + rest;
    for (const RecordRow& row : MapAll(table, make).rows)
      places.emplace_back(row.Float(Col::kLat), row.Float(Col::kLon));
    return places;
  };
  using Places = std::vector<std::pair<double, double>>;
  EXPECT_EQ(kept("image,lat,lon\n", "\n", [](const CsvReader& csv) { return MakeFolderLayout(csv, false); }),
            (Places{{10, -160}, {0, 0}, {0, 0}, {0, 0}, {10, 20}}));
  EXPECT_EQ(
      kept("IMG_ID,LAT,LON\n", "\n", [](const CsvReader& csv) { return MakeBenchmarkLayout(csv, false); }),
      (Places{{0, 0}, {0, 0}, {10, 20}}));
  EXPECT_EQ(kept("IMG_ID,LAT,LON,country\n", ",France\n",
                 [](const CsvReader& csv) { return MakeMp16ProLayout(csv, false); }),
            (Places{{10, 20}}));
  EXPECT_EQ(kept("uuid,lat,lon\n", "\n", MakeStreetscapesLayout), (Places{{10, 20}}));
}

TEST(Osv5mLayout, CountsValuesItCannotRead) {
  const Mapped m = MapAll(
      "id,latitude,longitude,climate,drive_side,captured_at,country,road_index\n1,1,1,31,2,soon,QQ,1e39\n",
      MakeOsv5mLayout);
  EXPECT_EQ(m.report.count("bad_value"), 4);
  EXPECT_TRUE(m.rows[0].IsMissing(Col::kRoadIndex));  // beyond 32 bits
  EXPECT_EQ(m.report.count("unknown_country"), 1);
  EXPECT_TRUE(m.rows[0].IsMissing(Col::kClimate));
  EXPECT_TRUE(m.rows[0].IsMissing(Col::kMonth));
}

TEST(Osv5mLayout, SaysWhichColumnIsMissing) {
  const std::string message = FailureOf([] { MapAll("id,latitude,lng\n", MakeOsv5mLayout); });
  EXPECT_NE(message.find("no column \"longitude\""), std::string::npos) << message;
  EXPECT_NE(message.find("t.csv:1"), std::string::npos) << message;
}

constexpr char kMpHeader[] =
    "IMG_ID,AUTHOR,LAT,LON,S3_Label,S16_Label,S365_Label,Prob_indoor,Prob_natural,Prob_urban,neighbourhood,"
    "city,county,"
    "state,region,country,country_code,continent\n";

TEST(Mp16ProLayout, ReadsRowsAndMissingPlaceNames) {
  const auto make = [](const CsvReader& csv) { return MakeMp16ProLayout(csv, false); };
  const Mapped m = MapAll(
      std::string(kMpHeader) +
          "4f/a0/3963216890.jpg,1@N00,47.217578,7.542092,2,14,300,0.1,0.2,0.7,Wengistein,Solothurn,Amtei "
          "Solothurn-Lebern,Solothurn,,Switzerland,ch,\n"
          "4b_5c_8178901047.jpg,1@N00,-34.580365,-58.425464,0,1,2,1,0,0,Palermo,Buenos "
          "Aires,NaN,nan,,Argentina,ar,\n"
          "aa_bb_1.jpg,2@N00,-22,17,0,1,2,1,0,0,,Windhoek,,Khomas,,Namibia,na,\n"
          "aa_bb_2.jpg,2@N00,10,17,0,1,2,1,0,0,,,,,,NaN,,\n"
          "aa_bb_3.jpg,2@N00,0,0,0,1,2,1,0,0,,,,,,Ghana,gh,\n",
      make);
  ASSERT_EQ(m.rows.size(), 3u);
  EXPECT_EQ(m.rows[0].Int(Col::kIdU64), 3963216890);
  EXPECT_EQ(m.rows[0].Int(Col::kCountryIso), 756);
  EXPECT_EQ(m.rows[0].Int(Col::kDriveLeft), 0);
  EXPECT_EQ(m.rows[0].Int(Col::kScene3), 2);
  EXPECT_EQ(m.rows[0].Int(Col::kScene365), 300);
  EXPECT_EQ(m.Name("region", 0, Col::kRegion), "Solothurn");
  EXPECT_EQ(m.Name("subregion", 0, Col::kSubregion), "Amtei Solothurn-Lebern");
  EXPECT_EQ(m.Name("country", 0, Col::kCountry), "Switzerland");
  EXPECT_TRUE(m.rows[1].IsMissing(Col::kRegion));
  EXPECT_TRUE(m.rows[1].IsMissing(Col::kSubregion));
  EXPECT_EQ(m.rows[0].Int(Col::kAuthorHash), m.rows[1].Int(Col::kAuthorHash));
  EXPECT_NE(m.rows[0].Int(Col::kAuthorHash), m.rows[2].Int(Col::kAuthorHash));
  EXPECT_EQ(m.rows[2].Int(Col::kCountryIso), 516);
  EXPECT_EQ(m.rows[2].Int(Col::kDriveLeft), 1);
  EXPECT_EQ(m.report.count("no_country"), 1);
  EXPECT_EQ(m.report.count("bad_coordinates"), 1);
}

TEST(Mp16ProLayout, WritesIdsOfTableAndArchiveAlike) {
  const CsvReader csv(MemoryFile(kMpHeader), "t.csv");
  const auto layout = MakeMp16ProLayout(csv, false);
  EXPECT_EQ(layout->Key("4f/a0/3963216890.jpg"), "4f_a0_3963216890");
  EXPECT_EQ(layout->Key("4f_a0_3963216890.jpg"), "4f_a0_3963216890");
  EXPECT_EQ(layout->Key("./images/4f_a0_3963216890.jpg"), "4f_a0_3963216890");
}

TEST(FolderLayout, KnowsTheUsualColumnNames) {
  const auto make = [](const CsvReader& csv) { return MakeFolderLayout(csv, false); };
  const Mapped m = MapAll("lng,File,Latitude,elev_m,country_code\n7.5,a.b.jpg,47.2,430,CH\n", make);
  ASSERT_EQ(m.rows.size(), 1u);
  EXPECT_EQ(m.ids[0], "a.b.jpg");
  EXPECT_EQ(m.rows[0].Float(Col::kLon), 7.5);
  EXPECT_EQ(m.rows[0].Float(Col::kElevM), 430);
  EXPECT_EQ(m.rows[0].Int(Col::kCountryIso), 756);
}

TEST(Layout, CutsOnlyImageExtensionsOffIds) {
  EXPECT_EQ(Stem("00/123.jpg"), "123");
  EXPECT_EQ(Stem("a/b/Accra.Ghana.-.Laure.JPEG"), "Accra.Ghana.-.Laure");
  EXPECT_EQ(Stem("v1.2"), "v1.2");
  EXPECT_EQ(Stem(".jpg"), ".jpg");
}

TEST(Layout, HashesNamesAsXxh64) {
  EXPECT_EQ(NameHash(""), 0u);
  EXPECT_EQ(NameHash("abc"), 0x44BC2CF5AD770999u);  // published test value of XXH64 with seed 0
}

}  // namespace
}  // namespace graticule
