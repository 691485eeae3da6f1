#include "geo/cell_table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/safetensors.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

class CellFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("cells_" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  // A file written without the code under test; columns may be left wrong on purpose.
  std::string Write(const std::string& kind, const std::vector<double>& centres,
                    const std::vector<int64_t>& counts, const std::vector<int64_t>& parents,
                    const std::vector<uint64_t>& ids, const std::vector<double>& boxes,
                    const std::string& version = "1") const {
    const int64_t rows = static_cast<int64_t>(counts.size());
    SafetensorsWriter writer;
    auto add = [&](const char* name, SafeDType dtype, std::vector<int64_t> shape, const auto& values) {
      writer.Add(name, {dtype, shape, reinterpret_cast<const uint8_t*>(values.data()), values.size() * 8});
    };
    add("centre_latlon", SafeDType::kF64, {rows, 2}, centres);
    add("count", SafeDType::kI64, {rows}, counts);
    add("parent", SafeDType::kI64, {rows}, parents);
    if (!ids.empty()) add("s2_id", SafeDType::kU64, {rows}, ids);
    if (!boxes.empty()) add("box", SafeDType::kF64, {rows, 4}, boxes);
    writer.SetMetadata("kind", kind);
    writer.SetMetadata("version", version);
    const std::string path = Path("cells.safetensors");
    writer.Write(PosixFs(), path);
    return path;
  }

  void ExpectRefused(const std::string& path, const std::string& says) const {
    try {
      CellTable::Load(path);
      ADD_FAILURE() << "loaded; expected: " << says;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
  }

 private:
  std::filesystem::path folder_;
};

constexpr uint64_t kFace0 = 0x1000000000000000, kFace1 = 0x3000000000000000;
constexpr uint64_t kFace0Child = 0x0400000000000000;

TEST_F(CellFile, HoldsTheDocumentedTensors) {
  const std::vector<LatLon> points = PhotoPlaces(5'000, 11);
  const auto table = BuildS2Cells(points, {.min_images = 20, .max_images = 200}, "abc123");
  const std::string path = Path("s2.safetensors");
  table->Save(path);
  const auto file = SafetensorsFile::Open(path);
  const int64_t rows = table->size();
  EXPECT_EQ(file->at("centre_latlon").shape, (std::vector<int64_t>{rows, 2}));
  EXPECT_EQ(file->at("count").dtype, SafeDType::kI64);
  EXPECT_EQ(file->at("s2_id").dtype, SafeDType::kU64);
  EXPECT_EQ(file->metadata().at("kind"), "s2");
  EXPECT_EQ(file->metadata().at("training_data_sha256"), "abc123");
  EXPECT_EQ(file->metadata().at("options"),
            R"({"min_images": 20, "max_images": 200, "min_level": 2, "max_level": 30})");
  double first_latitude;
  std::memcpy(&first_latitude, file->at("centre_latlon").data, 8);
  EXPECT_EQ(first_latitude, table->centres()[0].lat_deg);
  EXPECT_EQ(table->Sha256(), Sha256HexOfFile(path));
}

TEST_F(CellFile, ReadsBackTheSameTableOfEitherKind) {
  const std::vector<LatLon> points = PhotoPlaces(5'000, 12);
  const std::shared_ptr<const CellTable> tables[] = {
      BuildS2Cells(points, {.min_images = 20, .max_images = 200}),
      BuildQuadtreeCells(points, {.max_images = 100})};
  for (const auto& table : tables) {
    table->Save(Path("a"));
    const auto back = CellTable::Load(Path("a"));
    EXPECT_EQ(back->kind(), table->kind());
    EXPECT_EQ(back->options(), table->options());
    EXPECT_EQ(back->centres(), table->centres());
    EXPECT_EQ(back->counts(), table->counts());
    EXPECT_EQ(back->parents(), table->parents());
    EXPECT_EQ(back->s2_ids(), table->s2_ids());
    EXPECT_EQ(back->Sha256(), table->Sha256());
    for (int64_t row = 0; row < table->size(); ++row) ASSERT_EQ(back->Level(row), table->Level(row));
    for (LatLon p : TestPlaces(2'000, 13)) {
      ASSERT_EQ(back->CellOf(p), table->CellOf(p));
      ASSERT_EQ(back->NearestCell(p), table->NearestCell(p));
    }
    back->Save(Path("b"));
    EXPECT_EQ(ReadFileToString(Path("a")), ReadFileToString(Path("b")));
  }
}

TEST_F(CellFile, IsRefusedWhenItBreaksTheInvariant) {
  const std::vector<double> centres{1, 2, 3, 100};
  EXPECT_EQ(CellTable::Load(Write("s2", centres, {5, 6}, {-1, -1}, {kFace0, kFace1}, {}))->size(), 2);
  ExpectRefused(Write("s2", centres, {5, 6}, {-1, -1}, {kFace0, kFace0Child}, {}), "overlap");
  ExpectRefused(Write("s2", centres, {5, 6}, {-1, -1}, {kFace0, kFace0}, {}), "overlap");
  ExpectRefused(Write("s2", centres, {5, 6}, {-1, -1}, {kFace0, 7 * (kFace0 << 1)}, {}), "no S2 cell");
  ExpectRefused(Write("s2", {1, 2, 95, 100}, {5, 6}, {-1, -1}, {kFace0, kFace1}, {}), "centre");
  ExpectRefused(Write("s2", centres, {5, -6}, {-1, -1}, {kFace0, kFace1}, {}), "count");
  ExpectRefused(Write("s2", centres, {5, 6}, {-1, -2}, {kFace0, kFace1}, {}), "parent");
  ExpectRefused(Write("s2", {}, {}, {}, {}, {}), "no cells");
  ExpectRefused(Write("hexagons", centres, {5, 6}, {-1, -1}, {kFace0, kFace1}, {}), "hexagons");
  ExpectRefused(Write("s2", centres, {5, 6}, {-1, -1}, {kFace0, kFace1}, {}, "2"), "version");
  ExpectRefused(Write("s2", centres, {5, 6}, {-1, -1}, {}, {0, 0, 1, 1, 1, 1, 2, 2}), "s2_id");
}

TEST_F(CellFile, IsRefusedWhenBoxesAreNoQuadtree) {
  const std::vector<double> centres{1, 2, 3, 100};
  EXPECT_EQ(
      CellTable::Load(Write("quadtree", centres, {5, 6}, {-1, -1}, {}, {0, 0, 5, 5, 5, 5, 10, 10}))->size(),
      2);
  ExpectRefused(Write("quadtree", centres, {5, 6}, {-1, -1}, {}, {0, 0, 4, 5, 5, 5, 10, 10}), "quadtree");
  ExpectRefused(Write("quadtree", centres, {5, 6}, {-1, -1}, {}, {0, 0, 10, 10, 5, 5, 10, 10}), "quadtree");
  ExpectRefused(Write("quadtree", centres, {5, 6}, {-1, -1}, {}, {0, 0, 10, 10, 0, 0, 10, 10}), "quadtree");
  ExpectRefused(Write("quadtree", centres, {5, 6}, {-1, -1}, {}, {5, 5, 0, 0, 5, 5, 10, 10}),
                "minimum first");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  ExpectRefused(Write("quadtree", centres, {5, 6}, {-1, -1}, {}, {nan, 0, 5, 5, 5, 5, 10, 10}),
                "minimum first");
}

TEST_F(CellFile, IsRefusedWhenItIsNoSafetensorsFile) {
  WriteFileAtomically(PosixFs(), Path("text"), "not a table");
  EXPECT_THROW(CellTable::Load(Path("text")), Error);
  EXPECT_THROW(CellTable::Load(Path("missing")), Error);
}

}  // namespace
}  // namespace graticule
