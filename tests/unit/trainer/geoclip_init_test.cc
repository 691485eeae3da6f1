#include "trainer/recipes/geoclip_init.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "models/geoclip_weights.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/base/temp_folder.h"
#include "tests/unit/trainer/tiny_geoclip.h"

namespace graticule {
namespace {

GeoclipOptions Options(uint64_t seed) {
  GeoclipOptions o = TinyGeoclip({{1, 2}, {3, 4}});
  o.seed = seed;
  return o;
}

class GeoclipInit : public testing::Test {
 protected:
  // The heads of an export hold every parameter beyond the tower under its name in the recipe.
  std::string HeadsOf(GeoclipRecipe& recipe) const {
    WeightPart heads{"", {}};
    for (const NamedTensor& p : recipe.Parameters())
      if (p.name.starts_with("heads.")) heads.parameters.push_back(p);
    SaveGeoclipWeights(PosixFs(), folder_.At("heads.safetensors"), {heads});
    return folder_.At("heads.safetensors");
  }

  const TempFolder folder_{"geoclip_init"};
};

TEST_F(GeoclipInit, TheHeadsOfAnExportAreOneFileForAllThree) {
  for (const char* kind : {"infonce", "siglip"}) {  // siglip has a bias besides
    GeoclipOptions options = Options(1);
    options.loss.kind = kind;
    options.geoclip.logit_scale.start = 33;
    GeoclipRecipe trained(options), fresh(Options(2));
    const std::string heads = HeadsOf(trained);
    LoadPublishedWeights(fresh, {.image_mlp = heads, .location = heads, .logit_scale = heads});
    const std::vector<NamedTensor> expected = trained.Parameters();
    size_t compared = 0;
    for (const NamedTensor& p : fresh.Parameters()) {
      if (!p.name.starts_with("heads.")) continue;
      for (const NamedTensor& e : expected) {
        if (e.name != p.name) continue;
        EXPECT_TRUE(at::equal(e.tensor, p.tensor)) << p.name;
        ++compared;
      }
    }
    EXPECT_EQ(compared, 4u + 2 * 9 + 1);
    EXPECT_NEAR(fresh.logit_scale().exp().item<double>(), 33, 1e-4);
  }
}

TEST_F(GeoclipInit, TheScaleIsFoundInAWholeModelOfThePackage) {
  GeoclipRecipe recipe(Options(1));
  const NamedTensor scale = {"logit_scale", at::scalar_tensor(2.5f)};
  const std::string path = folder_.At("model.safetensors");
  SaveGeoclipWeights(PosixFs(), path,
                     {{kImagePrefix, recipe.image_mlp().parameters()},
                      {kLocationPrefix, recipe.location().parameters()},
                      {"", {scale}}});
  LoadPublishedWeights(recipe, {.image_mlp = "", .location = "", .logit_scale = path});
  EXPECT_EQ(recipe.logit_scale().item<float>(), 2.5f);
}

TEST_F(GeoclipInit, WhatDoesNotFitIsToldBeforeARecipeIsMade) {
  GeoclipRecipe trained(Options(1));
  const std::string heads = HeadsOf(trained);
  GeoclipOptions options = Options(2);
  GeoclipConfig& config = options.geoclip;
  config.init = {.image_mlp = heads, .location = heads, .logit_scale = heads};
  CheckPublishedWeights(options.model, config);
  const auto told = [&] { return FailureOf([&] { CheckPublishedWeights(options.model, config); }); };

  config.location.sigmas = {1, 16, 64, 256};  // capsules beyond the file's are a promise, not a mistake
  CheckPublishedWeights(options.model, config);
  config.location.sigmas = {1, 16};

  config.outputs = 13;
  std::string text = told();
  EXPECT_NE(text.find("2.weight has shape [12,8], expected [13,8]"), std::string::npos) << text;
  EXPECT_NE(text.find(heads), std::string::npos) << text;
  config.outputs = 12;
  config.location.sigmas = {4, 16};
  text = told();
  EXPECT_NE(text.find("recipe.location.sigmas says 4"), std::string::npos) << text;
  config.location.sigmas = {1};
  text = told();
  EXPECT_NE(text.find("9 unexpected: LocEnc1."), std::string::npos) << text;
  config.location.sigmas = {1, 16};
  config.init.logit_scale = folder_.At("none.pth");
  EXPECT_NE(told().find("none.pth"), std::string::npos);
}

}  // namespace
}  // namespace graticule
