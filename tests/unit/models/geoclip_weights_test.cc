// The published files themselves are in tests/parity/location_test.py.
#include "models/geoclip_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/safetensors.h"
#include "models/image_mlp.h"
#include "models/location_encoder.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/base/temp_folder.h"
#include "tests/unit/base/torch_samples.h"

namespace graticule {
namespace {

LocationEncoder Tower(size_t capsules, uint64_t seed) {
  return LocationEncoder(
      {.sigmas = std::vector<double>(capsules, 2), .features = 3, .width = 5, .outputs = 4}, seed);
}

bool Equal(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b, size_t first, size_t last) {
  for (size_t i = first; i < last; ++i)
    if (!at::equal(a[i].tensor, b[i].tensor)) return false;
  return true;
}

class GeoclipWeights : public testing::Test {
 protected:
  std::string Saved(const std::vector<WeightPart>& parts, const std::string& name = "w.safetensors") const {
    SaveGeoclipWeights(PosixFs(), folder_.At(name), parts);
    return folder_.At(name);
  }
  std::string Written(const std::string& bytes, const std::string& name = "w.pth") const {
    WriteFileAtomically(PosixFs(), folder_.At(name), bytes);
    return folder_.At(name);
  }

  const TempFolder folder_{"geoclip_weights"};
};

TEST_F(GeoclipWeights, AReleaseHasTheNamesOfThePackage) {
  const NamedTensor scale = {"logit_scale", at::scalar_tensor(2.5f)};
  const std::string path =
      Saved({{kImagePrefix, ImageMlp({.inputs = 2, .hidden = 3, .outputs = 4}, 1).parameters()},
             {kLocationPrefix, Tower(1, 1).parameters()},
             {"", {scale}}});
  std::string names;
  const auto file = SafetensorsFile::Open(path);
  for (const auto& [name, view] : file->tensors()) names += name + "\n";
  EXPECT_EQ(names,
            "image_encoder.mlp.0.bias\nimage_encoder.mlp.0.weight\n"
            "image_encoder.mlp.2.bias\nimage_encoder.mlp.2.weight\n"
            "location_encoder.LocEnc0.capsule.0.b\n"
            "location_encoder.LocEnc0.capsule.1.bias\nlocation_encoder.LocEnc0.capsule.1.weight\n"
            "location_encoder.LocEnc0.capsule.3.bias\nlocation_encoder.LocEnc0.capsule.3.weight\n"
            "location_encoder.LocEnc0.capsule.5.bias\nlocation_encoder.LocEnc0.capsule.5.weight\n"
            "location_encoder.LocEnc0.head.0.bias\nlocation_encoder.LocEnc0.head.0.weight\n"
            "logit_scale\n");
}

TEST_F(GeoclipWeights, ComeBackAsTheyWere) {
  const LocationEncoder saved = Tower(2, 1), loaded = Tower(2, 2);
  ASSERT_FALSE(Equal(saved.parameters(), loaded.parameters(), 0, 18));
  const WeightReport report = LoadGeoclipWeights(loaded.parameters(), Saved({{"", saved.parameters()}}));
  EXPECT_TRUE(Equal(saved.parameters(), loaded.parameters(), 0, 18));
  EXPECT_EQ(report.loaded.size(), 18u);
  EXPECT_TRUE(report.missing.empty() && report.unused.empty());
  EXPECT_TRUE(loaded.parameters()[1].tensor.requires_grad());
  EXPECT_FALSE(loaded.parameters()[0].tensor.requires_grad());
}

TEST_F(GeoclipWeights, AFurtherCapsuleKeepsItsStart) {
  const LocationEncoder saved = Tower(3, 1);
  const std::string path = Saved({{"", saved.parameters()}});
  const LocationEncoder loaded = Tower(4, 2);
  const at::Tensor start = loaded.parameters()[28].tensor.detach().clone();
  FailureOf([&] { LoadGeoclipWeights(loaded.parameters(), path); });
  const WeightReport report = LoadGeoclipWeights(loaded.parameters(), path, {.may_be_missing = {"LocEnc3."}});
  EXPECT_TRUE(Equal(saved.parameters(), loaded.parameters(), 0, 27));
  EXPECT_TRUE(at::equal(loaded.parameters()[28].tensor, start));
  EXPECT_EQ(report.missing.size(), 9u);
  EXPECT_EQ(report.missing[0], "LocEnc3.capsule.0.b");
}

TEST_F(GeoclipWeights, FewerCapsulesLeaveTensorsUnused) {
  const LocationEncoder saved = Tower(2, 1), loaded = Tower(1, 2);
  const std::string path = Saved({{"", saved.parameters()}});
  const std::string text = FailureOf([&] { LoadGeoclipWeights(loaded.parameters(), path); });
  EXPECT_NE(text.find("9 unexpected: LocEnc1.capsule.0.b, "), std::string::npos) << text;
  const WeightReport report = LoadGeoclipWeights(loaded.parameters(), path, {.may_be_unused = {"LocEnc1."}});
  EXPECT_EQ(report.unused.size(), 9u);
  EXPECT_TRUE(Equal(saved.parameters(), loaded.parameters(), 0, 9));
}

TEST_F(GeoclipWeights, APrefixPicksOneModuleOutOfAWholeModel) {
  const ImageMlp image({.inputs = 2, .hidden = 3, .outputs = 4}, 1),
      other({.inputs = 2, .hidden = 3, .outputs = 4}, 2);
  const std::string path =
      Saved({{kImagePrefix, image.parameters()}, {kLocationPrefix, Tower(1, 1).parameters()}});
  LoadGeoclipWeights(other.parameters(), path, {.prefixes = {kImagePrefix}});
  EXPECT_TRUE(Equal(image.parameters(), other.parameters(), 0, 4));
  const std::string text =
      FailureOf([&] { LoadGeoclipWeights(other.parameters(), path, {.prefixes = {"image."}}); });
  EXPECT_NE(text.find("do not fit \"image.\": 4 missing: 0.weight, 0.bias, 2.weight, 2.bias"),
            std::string::npos)
      << text;
}

TEST_F(GeoclipWeights, OfSeveralPrefixesTheFileHasOne) {
  const ImageMlp image({.inputs = 2, .hidden = 3, .outputs = 4}, 1);
  for (const char* prefix : {kImagePrefix, kExportImagePrefix, ""}) {
    const ImageMlp other({.inputs = 2, .hidden = 3, .outputs = 4}, 2);
    std::vector<WeightPart> parts = {{prefix, image.parameters()}};
    if (*prefix != '\0') parts.push_back({"another.", Tower(1, 1).parameters()});
    LoadGeoclipWeights(other.parameters(), Saved(parts), {.prefixes = {kImagePrefix, kExportImagePrefix}});
    EXPECT_TRUE(Equal(image.parameters(), other.parameters(), 0, 4)) << prefix;
  }
}

TEST_F(GeoclipWeights, SaysAllThatIsWrongAndTouchesNothing) {
  const ImageMlp mlp({.inputs = 2, .hidden = 3, .outputs = 4}, 1),
      before({.inputs = 2, .hidden = 3, .outputs = 4}, 1);
  const std::string path = Saved({{"",
                                   {{"0.weight", at::ones({3, 2})},
                                    {"0.bias", at::ones({4})},
                                    {"2.weight", at::ones({4, 3}, at::kLong)},
                                    {"extra", at::ones({1})}}}});
  const std::string text = FailureOf([&] { LoadGeoclipWeights(mlp.parameters(), path); });
  for (const char* part :
       {"1 missing: 2.bias", "2 of another shape or type: 0.bias has shape [4], expected [3]",
        "2.weight is I64, expected floats", "1 unexpected: extra"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_TRUE(Equal(mlp.parameters(), before.parameters(), 0, 4));
}

TEST_F(GeoclipWeights, ReadsFilesOfTorchWhateverTheirName) {
  const float values[2] = {1.5, -2};
  const std::string bytes(reinterpret_cast<const char*>(values), 8);
  const std::string file = MakeTorchFile(
      Protocol2(PickleDict(PickleText("a.b") + PickleTensor("FloatStorage", "0", 2, 0, {2}, {1}))),
      {{"m/data/0", bytes}});
  const NamedTensor half = {"a.b", at::zeros({2}, at::kHalf)};
  LoadGeoclipWeights({&half, 1}, Written(file, "w.safetensors"));
  EXPECT_TRUE(at::equal(half.tensor, at::tensor({1.5, -2.0}).to(at::kHalf)));
}

TEST_F(GeoclipWeights, ABareTensorIsTheOnlyParameter) {
  const float value = 3.6810348f;
  const std::string bytes(reinterpret_cast<const char*>(&value), 4);
  const std::string path = Written(
      MakeTorchFile(Protocol2(PickleTensor("FloatStorage", "0", 1, 0, {}, {})), {{"m/data/0", bytes}}));
  const NamedTensor scale = {"logit_scale", at::zeros({}, at::kFloat)};
  const WeightReport report = LoadGeoclipWeights({&scale, 1}, path);
  EXPECT_EQ(report.loaded, std::vector<std::string>{"logit_scale"});
  EXPECT_NEAR(std::exp(scale.tensor.item<double>()), 39.68744, 1e-5);
  const NamedTensor row = {"logit_scale", at::zeros({1}, at::kFloat)};
  FailureOf([&] { LoadGeoclipWeights({&row, 1}, path); });
}

TEST_F(GeoclipWeights, RefusesOtherFiles) {
  const NamedTensor any = {"a", at::zeros({1}, at::kFloat)};
  for (const std::string& bytes : {std::string(), std::string("x"), std::string(100, 'x'), std::string("PK"),
                                   std::string("\x80\x02"), std::string(8, '\xff') + "{"})
    FailureOf([&] { LoadGeoclipWeights({&any, 1}, Written(bytes)); });
  FailureOf([&] { LoadGeoclipWeights({&any, 1}, folder_.At("none")); });
}

}  // namespace
}  // namespace graticule
