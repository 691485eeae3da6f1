#include "models/export.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/safetensors.h"
#include "models/heads.h"

namespace graticule {
namespace {

class ExportTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(root_);
    VisionConfig c;
    c.image_size = 16, c.patch_size = 8, c.width = 32, c.layers = 2, c.heads = 2, c.projection = 8,
    c.activation = "gelu";
    tower_ = std::make_unique<VisionTower>(c, 3);
    const Heads heads(32, {{"geocell", 5}, {"month", kMonthClasses}}, 4);
    WriteExport(
        PosixFs(), Path("out"), *tower_, heads.parameters(),
        {"cells.safetensors", [](const std::string& path) { SafetensorsWriter().Write(PosixFs(), path); }},
        {.image_size = 16, .exif_orientation = "ignore"},
        {{"pooling", "mean"}, {"visual_projection", "untrained"}});
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string Path(const std::string& name) const { return (root_ / name).string(); }
  ErrorCode ReadCode() const {
    try {
      ReadExport(Path("out"));
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::kBug;
  }

  std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / ("graticule_export_" + std::to_string(getpid()));
  std::unique_ptr<VisionTower> tower_;
};

TEST_F(ExportTest, ComesBackAsItWas) {
  ExportedModel model = ReadExport(Path("out"));
  EXPECT_EQ(model.metadata.at("pooling"), "mean");
  EXPECT_EQ(model.preprocessing.exif_orientation, "ignore");
  EXPECT_EQ(model.preprocessing.image_size, 16);
  EXPECT_EQ(model.tower.config().activation, "gelu");
  for (size_t i = 0; i < tower_->parameters().size(); ++i)
    EXPECT_TRUE(at::equal(tower_->parameters()[i].tensor, model.tower.parameters()[i].tensor));
  const Heads written(32, {{"geocell", 5}, {"month", kMonthClasses}}, 4);
  for (const NamedTensor& p : written.parameters()) {
    ASSERT_TRUE(model.heads.contains(p.name)) << p.name;
    EXPECT_TRUE(at::equal(p.tensor, model.heads.at(p.name))) << p.name;
  }
}

TEST_F(ExportTest, NoticesAChangedFile) {
  std::ofstream(Path("out/preprocess.json"), std::ios::app) << " ";
  EXPECT_EQ(ReadCode(), ErrorCode::kData);
}

TEST_F(ExportTest, IsUnfinishedWithoutItsSums) {
  std::filesystem::remove(Path("out/SHA256SUMS"));
  EXPECT_EQ(ReadCode(), ErrorCode::kData);
}

}  // namespace
}  // namespace graticule
