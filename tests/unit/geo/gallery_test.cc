#include "geo/gallery.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "../base/failure_of.h"
#include "../base/temp_folder.h"
#include "base/safetensors.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

const std::vector<LatLon> kFour = {{48.8584, 2.2945}, {-33.8568, 151.2153}, {90, 0}, {0, -180}};
// Python: hashlib.sha256(b"".join(struct.pack("<2d", lat, lon) for lat, lon in four)).hexdigest()
constexpr const char* kFourSha256 = "0d98c3ef0d2a9b0c358ed0d3fa9fb93c11c5f1ffd535456aa8fc592169f46d2e";

std::string Failure(const std::string& bytes) {
  return FailureOf([&] { Gallery::Parse(bytes, "g.csv"); });
}

TEST(Gallery, IsNamedByTheHashOfItsCoordinates) {
  EXPECT_EQ(Gallery(kFour, {}).Sha256(), kFourSha256);
  const Gallery csv =
      Gallery::Parse("LAT,LON\n48.8584,2.2945\n-33.8568,151.2153\n90.0,0\n0,-180\n", "four.csv");
  EXPECT_EQ(csv.Sha256(), kFourSha256);
  EXPECT_EQ(csv.places(), kFour);
}

TEST(Gallery, ComesBackFromBothFormsBitForBit) {
  const TempFolder folder("gallery");
  std::vector<LatLon> places = PhotoPlaces(5000, 1);
  places.push_back({12, 359.9999999});  // longitudes are kept as given
  places.push_back({-0.0, 1e-300});
  places.push_back(places[0]);  // and so are repeats
  const Gallery gallery(places, {std::string(64, 'a'), "train", 18446744073709551615u});
  gallery.Save(folder.At("g.safetensors"));
  gallery.ExportCsv(folder.At("g.csv"));
  const Gallery saved = Gallery::Load(folder.At("g.safetensors")), csv = Gallery::Load(folder.At("g.csv"));
  EXPECT_EQ(saved.places(), places);
  EXPECT_EQ(saved.source(), gallery.source());
  EXPECT_EQ(csv.places(), places);
  EXPECT_EQ(saved.Sha256(), gallery.Sha256());
  EXPECT_EQ(csv.Sha256(), gallery.Sha256());
  EXPECT_EQ(csv.source().seed, std::nullopt);
  const auto file = SafetensorsFile::Open(folder.At("g.safetensors"));
  EXPECT_EQ(file->at("latlon").shape, (std::vector<int64_t>{5003, 2}));
  EXPECT_EQ(file->at("latlon").dtype, SafeDType::kF64);
  EXPECT_EQ(file->metadata().at("version"), "1");
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    EXPECT_TRUE(entry.path().filename() == "g.safetensors" || entry.path().filename() == "g.csv");
}

TEST(Gallery, ReadsOtherSpellingsOfTheColumns) {
  EXPECT_EQ(Gallery::Parse("id,lng,Latitude\nx,2,1\n", "g.csv").places(), (std::vector<LatLon>{{1, 2}}));
}

TEST(Gallery, NamesTheLinesOfAllBadRowsInOneError) {
  const std::string text = "LAT,LON\n1,2\n91,0\nx,3\n4,5\n4\n\n6,361\nnan,0\n,\n7,8\n9,\n";
  const std::string failure = Failure(text);
  EXPECT_NE(failure.find("7 of 10 rows"), std::string::npos) << failure;
  EXPECT_NE(failure.find("lines 3, 4, 6, 8, 9, ..."), std::string::npos) << failure;
  EXPECT_NE(failure.find("\"91,0\""), std::string::npos) << failure;
  EXPECT_NE(failure.find("g.csv:3"), std::string::npos) << failure;
  EXPECT_NE(Failure("LAT,LON\n1,2\n1,2,3\n").find("in line 3;"), std::string::npos);
}

TEST(Gallery, RefusesFilesThatAreNone) {
  EXPECT_NE(Failure("a,b\n1,2\n").find("lat"), std::string::npos);
  EXPECT_NE(Failure("LAT,LON\n").find("no places"), std::string::npos);
  EXPECT_NE(Failure("").find("empty"), std::string::npos);
  SafetensorsWriter writer;
  const std::vector<float> floats(4);
  writer.Add("latlon", {SafeDType::kF32, {2, 2}, reinterpret_cast<const uint8_t*>(floats.data()), 16});
  EXPECT_NE(Failure(writer.Serialise()).find("F64 [M, 2]"), std::string::npos);
  EXPECT_FALSE(Failure(std::string("\x05\0\0\0\0\0\0\0", 8)).empty());
}

TEST(Gallery, RefusesDamagedValues) {
  const auto file_of = [](std::vector<double> values, const std::string& version, const std::string& seed) {
    SafetensorsWriter writer;
    writer.Add("latlon", {SafeDType::kF64,
                          {std::ssize(values) / 2, 2},
                          reinterpret_cast<const uint8_t*>(values.data()),
                          values.size() * sizeof(double)});
    writer.SetMetadata("version", version);
    writer.SetMetadata("seed", seed);
    return writer.Serialise();
  };
  EXPECT_EQ(Gallery::Parse(file_of({1, 2}, "1", ""), "g").size(), 1);
  EXPECT_NE(Failure(file_of({1, 2}, "2", "")).find("version \"2\""), std::string::npos);
  EXPECT_NE(Failure(file_of({1, 2}, "1", "12x")).find("seed \"12x\""), std::string::npos);
  EXPECT_NE(Failure(file_of({1, 2, 95, 0}, "1", "")).find("row 1 is the place (95, 0)"), std::string::npos);
  EXPECT_NE(Failure(file_of({}, "1", "")).find("no places"), std::string::npos);
}

TEST(Gallery, KeepsEmbeddingsBesideItsPlacesAndGivesThemForTheirWeightsAlone) {
  const TempFolder folder("gallery");
  const Gallery gallery(kFour, {});
  const GalleryEmbeddings made{"weights", 3, {1, 0, 0, 0, 1, 0, 0, 0, 1, 0.6f, 0.8f, 0}};
  gallery.Save(folder.At("g"), &made);
  const Gallery loaded = Gallery::Load(folder.At("g"));
  EXPECT_EQ(loaded.Sha256(), kFourSha256);
  const auto found = loaded.LoadEmbeddings(folder.At("g"), "weights", 3);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->rows_MD, made.rows_MD);
  EXPECT_FALSE(loaded.LoadEmbeddings(folder.At("g"), "others", 3).has_value());
  const auto file = SafetensorsFile::Open(folder.At("g"));
  EXPECT_EQ(file->at("emb").shape, (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(file->metadata().at("emb_weights_sha256"), "weights");
  const Gallery shorter({kFour[0]}, {});
  EXPECT_NE(FailureOf([&] { shorter.LoadEmbeddings(folder.At("g"), "weights", 3); }).find("F32 [1, 3]"),
            std::string::npos);
  EXPECT_NE(FailureOf([&] { loaded.LoadEmbeddings(folder.At("g"), "weights", 4); }).find("F32 [4, 4]"),
            std::string::npos);
  gallery.Save(folder.At("plain"));
  EXPECT_FALSE(loaded.LoadEmbeddings(folder.At("plain"), "weights", 3).has_value());
}

TEST(Gallery, MergesDuplicates) {
  std::vector<LatLon> places = {{1, 2}, {3, 4}, {1.000001, 2}, {5, 180}, {3, 4}, {5, -180}, {6, 6}};
  const Gallery merged = MergeDuplicates(Gallery(places, {"x", "train", 7}));
  EXPECT_EQ(merged.places(), (std::vector<LatLon>{{1, 2}, {3, 4}, {5, 180}, {6, 6}}));
  EXPECT_EQ(merged.source(), (GallerySource{"x", "train", 7}));
}

TEST(GalleryCeiling, IsWhatComparingAllPairsGives) {
  const Gallery gallery(PhotoPlaces(800, 3), {});
  const std::vector<double> thresholds = {1, 25, 200, 750, 2500};
  for (const int count : {500, 501}) {
    std::vector<LatLon> tests = PhotoPlaces(count, 3);
    for (size_t i = 0; i < tests.size(); ++i) tests[i].lon_deg += i % 2 == 0 ? 0.003 : 3;
    std::vector<double> gaps;
    for (LatLon p : tests) {
      double best = 1e9;
      for (LatLon q : gallery.places()) best = std::min(best, HaversineKm(p, q));
      gaps.push_back(best);
    }
    const Ceiling ceiling = GalleryCeiling(gallery, tests, thresholds);
    ASSERT_EQ(ceiling.places, count);
    for (int i = 0; i < count; ++i) ASSERT_NEAR(ceiling.gap_km[i], gaps[i], 1e-6);
    for (size_t t = 0; t < thresholds.size(); ++t) {
      const auto nearer =
          std::count_if(gaps.begin(), gaps.end(), [&](double g) { return g < thresholds[t]; });
      EXPECT_DOUBLE_EQ(ceiling.within[t], static_cast<double>(nearer) / count);
    }
    EXPECT_GT(ceiling.within[0], 0);
    EXPECT_LT(ceiling.within[2], 1);
    std::sort(gaps.begin(), gaps.end());
    EXPECT_NEAR(ceiling.median_km, count % 2 ? gaps[count / 2] : (gaps[count / 2 - 1] + gaps[count / 2]) / 2,
                1e-6);
  }
}

TEST(GalleryCeiling, CountsStrictlyNearerPlacesOnly) {
  const Gallery gallery({{0, 0}}, {});
  const std::vector<LatLon> tests = {{0, 0}, {0, 10}};
  const double gap = HaversineKm({0, 0}, {0, 10});
  EXPECT_EQ(GalleryCeiling(gallery, tests, std::vector<double>{0, gap, gap * 1.0001}).within,
            (std::vector<double>{0, 0.5, 1}));
  EXPECT_TRUE(std::isnan(GalleryCeiling(gallery, {}, std::vector<double>{1}).within[0]));
}

}  // namespace
}  // namespace graticule
