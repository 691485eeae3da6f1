#include "models/model_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "models/hf_config.h"

namespace graticule {
namespace {

class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() / ("graticule_models_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void Put(const std::string& name, const std::string& text) const { std::ofstream(path_ / name) << text; }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

ErrorCode CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.code();
  }
  return ErrorCode::kBug;
}

TEST(VisionConfig, TakesWhatIsUnsetFromThePreset) {
  VisionConfig c;
  c.preset = "clip-vit-l14";
  c.image_size = 336;
  const VisionConfig full = c.Completed();
  EXPECT_EQ(full.Tokens(), 577);
  EXPECT_EQ(full.width, 1024);
  EXPECT_EQ(full.HeadWidth(), 64);
  EXPECT_EQ(full.activation, "quick_gelu");
  EXPECT_TRUE(full.IsComplete());
}

TEST(VisionConfig, DerivesHeadsAndMlpFromAnotherWidth) {
  VisionConfig c;
  c.width = 128;
  EXPECT_EQ(c.Completed().heads, 2);
  EXPECT_EQ(c.Completed().mlp_width, 512);
}

TEST(VisionConfig, RefusesShapesThatCannotBeBuilt) {
  VisionConfig c;
  c.image_size = 100;
  EXPECT_EQ(CodeOf([&] { c.Completed(); }), ErrorCode::kUsage);
  c = {};
  c.heads = 7;
  EXPECT_EQ(CodeOf([&] { c.Completed(); }), ErrorCode::kUsage);
}

TEST(ReadVisionMetadata, KnowsTheClassDefaultsOfHuggingFace) {
  const Folder folder;
  folder.Put("config.json", R"({"model_type": "clip", "projection_dim": 768,
    "vision_config": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "patch_size": 14}})");
  const VisionConfig c = ReadVisionMetadata(folder.path()).value();
  EXPECT_EQ(c.projection, 768);
  EXPECT_EQ(c.image_size, 224);
  EXPECT_EQ(c.activation, "quick_gelu");
  EXPECT_EQ(c.ParameterCount(), 303966208);
}

TEST(ReadVisionMetadata, TakesTheActivationFromOpenClip) {
  const Folder folder;
  const char* shape =
      R"("embed_dim": 512, "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32})";
  folder.Put("open_clip_config.json", std::string(R"({"model_cfg": {"quick_gelu": true, )") + shape + "}}");
  EXPECT_EQ(ReadVisionMetadata(folder.path())->activation, "quick_gelu");
  folder.Put("open_clip_config.json", std::string(R"({"model_cfg": {)") + shape + "}}");
  EXPECT_EQ(ReadVisionMetadata(folder.path())->activation, "gelu");
  EXPECT_EQ(ReadVisionMetadata(folder.path())->ParameterCount(), 87849216);
}

TEST(ReadVisionMetadata, RefusesWhatItDoesNotKnow) {
  const Folder folder;
  for (const char* text : {"[]", "{", R"({"model_type": "bert"})",
                           R"({"model_type": "clip_vision_model", "hidden_act": "relu"})",
                           R"({"model_type": "clip_vision_model", "hidden_size": -1})",
                           R"({"model_type": "clip_vision_model", "patch_size": "14"})"}) {
    folder.Put("config.json", text);
    EXPECT_EQ(CodeOf([&] { ReadVisionMetadata(folder.path()); }), ErrorCode::kData) << text;
  }
}

TEST(ModelConfig, RefusesToGuessTheActivation) {
  const Folder folder;
  folder.Put("model.safetensors", "");
  ModelConfig model;
  model.init = folder.path();
  EXPECT_EQ(CodeOf([&] { model.Complete(); }), ErrorCode::kData);
  model.vision.activation = "gelu";
  EXPECT_EQ(CodeOf([&] { model.Complete(); }), ErrorCode::kBug);  // nothing thrown
}

TEST(ModelConfig, RefusesAShapeThatTheWeightsContradict) {
  const Folder folder;
  folder.Put("config.json", R"({"model_type": "clip_vision_model"})");
  ModelConfig model;
  model.init = folder.path();
  model.vision.layers = 11;
  EXPECT_EQ(CodeOf([&] { model.Complete(); }), ErrorCode::kUsage);
  model.vision = {};
  model.Complete();
  EXPECT_EQ(model.vision.layers, 12);
}

}  // namespace
}  // namespace graticule
