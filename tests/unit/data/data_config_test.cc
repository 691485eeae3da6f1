#include "data/data_config.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/config/resolve.h"

namespace graticule {
namespace {

struct Root {
  DataConfig data;
  void Bind(Section& s) { s.Sub("data", &data, "datasets"); }
};

ConfigResult Resolve(Root& root, const std::vector<std::string>& overrides) {
  Section section;
  root.Bind(section);
  return ResolveConfig(section, {}, overrides);
}

std::string OnlyIssue(const std::vector<std::string>& overrides) {
  Root root;
  const ConfigResult result = Resolve(root, overrides);
  EXPECT_EQ(result.issues.size(), 1u);
  return result.issues.empty() ? "" : result.issues[0].message;
}

TEST(DataConfig, DefaultsAreOpenClipCropsOfTheTrainSplit) {
  Root root;
  EXPECT_TRUE(Resolve(root, {}).issues.empty());
  EXPECT_EQ(root.data.train_split, std::vector<std::string>{"train"});
  const AugmentOptions crop = root.data.TrainAugment(336);
  EXPECT_EQ(crop.image_size, 336);
  EXPECT_EQ(crop.kind, "random_resized_crop");
  EXPECT_EQ(crop.scale_min, 0.9);
  EXPECT_EQ(crop.ratio_max, 4.0 / 3.0);
  EXPECT_TRUE(crop.apply_exif_orientation);
}

TEST(DataConfig, EvaluationSharesFilterAndOrientationButNotTheCrop) {
  Root root;
  const ConfigResult result =
      Resolve(root, {"data.train=[a, b]", "data.augment.filter=bilinear", "data.augment.scale=[0.2, 0.7]",
                     "data.exif_orientation=ignore"});
  EXPECT_TRUE(result.issues.empty());
  EXPECT_EQ(root.data.train, (std::vector<std::string>{"a", "b"}));
  const AugmentOptions eval = root.data.EvalAugment(224), train = root.data.TrainAugment(224);
  EXPECT_EQ(eval.kind, "centre_crop");
  EXPECT_EQ(eval.filter, "bilinear");
  EXPECT_FALSE(eval.apply_exif_orientation);
  EXPECT_EQ(train.scale_min, 0.2);
  EXPECT_EQ(train.scale_max, 0.7);
  EXPECT_FALSE(train.apply_exif_orientation);
}

TEST(DataConfig, WhatTheGpuDoesNotDecodeTheCpuDecodesExactly) {
  Root root;
  EXPECT_TRUE(Resolve(root, {"data.decode=nvjpeg"}).issues.empty());
  EXPECT_TRUE(root.data.decodes_on_device());
  EXPECT_EQ(root.data.TrainAugment(224).decode, "exact");
  EXPECT_TRUE(Resolve(root, {"data.decode=fast"}).issues.empty());
  EXPECT_FALSE(root.data.decodes_on_device());
  EXPECT_EQ(root.data.TrainAugment(224).decode, "fast");
  EXPECT_NE(OnlyIssue({"data.decode=nvjpeg", "data.train=[a]", "data.train_embeddings=[x]"})
                .find("leaves no training image"),
            std::string::npos);
}

TEST(DataConfig, ImpossibleRangesAreNamed) {
  EXPECT_NE(OnlyIssue({"data.augment.scale=[0.9]"}).find("data.augment.scale has 1 values"),
            std::string::npos);
  EXPECT_NE(OnlyIssue({"data.augment.scale=[0.9, 1.5]"}).find("data.augment.scale is [0.9, 1.5]"),
            std::string::npos);
  EXPECT_NE(OnlyIssue({"data.augment.ratio=[2, 1]"}).find("data.augment.ratio is [2, 1]"), std::string::npos);
  OnlyIssue({"data.depth=0"});
  OnlyIssue({"data.augment.kind=squash"});
}

TEST(DataConfig, OrdersThatCannotBeAreNamed) {
  const std::string two = "data.train=[a, b]", long_enough = "data.epoch_samples=100";
  const auto has = [&](std::vector<std::string> words, const char* part) {
    words.push_back(two);
    const std::string issue = OnlyIssue(words);
    EXPECT_NE(issue.find(part), std::string::npos) << issue;
  };
  has({"data.mixture=[1e308, 1e308]", long_enough}, "more than a number holds");
  has({"data.mixture=[0, 0]", long_enough}, "no weight above 0");
  has({"data.mixture=[1, -1]", long_enough}, "expected weights of 0 or more");
  has({"data.mixture=[1]", long_enough}, "1 weights for 2 folders");
  has({"data.mixture=[1, 1]"}, "data.epoch_samples");
  has({"data.mixture=[1, 1]", long_enough, "data.block.records=8"}, "choose one");
  has({"data.block.pool=16"}, "data.block.records is 0");
  has({"data.train_embeddings=[x]"}, "names 1 stores for 2 folders");
}

TEST(DataConfig, APlanAllowsNoOtherOrderAndNoShorterEpochs) {
  Root root;
  EXPECT_TRUE(Resolve(root, {"data.plan.kind=gps"}).issues.empty());
  EXPECT_EQ(root.data.plan.share, 0.5);
  EXPECT_NE(OnlyIssue({"data.plan.kind=gps", "data.block.records=4"}).find("exclude each other"),
            std::string::npos);
  EXPECT_NE(OnlyIssue({"data.plan.kind=gps", "data.epoch_samples=4"}).find("whole epochs"),
            std::string::npos);
  EXPECT_NE(OnlyIssue({"data.plan.neighbours=32"}).find("data.plan.select 64 is more"), std::string::npos);
}

}  // namespace
}  // namespace graticule
