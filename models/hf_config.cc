#include "models/hf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fs.h"

namespace graticule {
namespace {

using Json = nlohmann::ordered_json;

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

Json ParseObject(const std::string& path) {
  Json json = Json::parse(ReadFileToString(path, 16 << 20), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    throw Error(ErrorCode::kData, "this is no JSON object", path,
                "fetch the file again from where the weights came from");
  return json;
}

[[noreturn]] void BadValue(const std::string& path, const std::string& key, const Json& value,
                           const char* expected) {
  throw Error(ErrorCode::kData, fmt::format("\"{}\" is {}, expected {}", key, value.dump(), expected), path,
              "the file does not describe a CLIP vision tower that we know");
}

int64_t Integer(const Json& object, const std::string& path, const std::string& key, int64_t absent) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return absent;
  if (!it->is_number_integer() || it->get<int64_t>() < 1 || it->get<int64_t>() > (1 << 18))
    BadValue(path, key, *it, "a positive integer");
  return it->get<int64_t>();
}

void RefuseUnless(bool holds, const std::string& path, const std::string& key, const Json& object,
                  const char* expected) {
  if (!holds) BadValue(path, key, object.contains(key) ? object.at(key) : Json(), expected);
}

VisionConfig FromHf(const Json& top, const std::string& path) {
  const std::string type = top.value("model_type", "");
  RefuseUnless(type == "clip" || type == "clip_vision_model", path, "model_type", top,
               "\"clip\" or \"clip_vision_model\"");
  Json vision = top;
  if (type == "clip") {
    vision = top.contains("vision_config") ? top.at("vision_config") : Json::object();
    if (!vision.is_object()) BadValue(path, "vision_config", vision, "an object");
    // Old conversions name the joint dimension only at the top; the sub-config then repeats the class
    // default.
    if (top.contains("projection_dim")) vision["projection_dim"] = top.at("projection_dim");
  }
  VisionConfig c;
  c.image_size = Integer(vision, path, "image_size", 224);
  c.patch_size = Integer(vision, path, "patch_size", 32);
  c.width = Integer(vision, path, "hidden_size", 768);
  c.layers = Integer(vision, path, "num_hidden_layers", 12);
  c.heads = Integer(vision, path, "num_attention_heads", 12);
  c.mlp_width = Integer(vision, path, "intermediate_size", 3072);
  c.projection = Integer(vision, path, "projection_dim", 512);
  RefuseUnless(Integer(vision, path, "num_channels", 3) == 3, path, "num_channels", vision, "3");
  c.activation = "quick_gelu";
  if (const auto it = vision.find("hidden_act"); it != vision.end()) {
    if (!it->is_string() || (*it != "quick_gelu" && *it != "gelu"))
      BadValue(path, "hidden_act", *it, "\"quick_gelu\" or \"gelu\"");
    c.activation = it->get<std::string>();
  }
  if (const auto it = vision.find("layer_norm_eps"); it != vision.end()) {
    if (!it->is_number() || !(it->get<double>() > 0) || it->get<double>() > 1e-2)
      BadValue(path, "layer_norm_eps", *it, "a small positive number");
    c.layer_norm_eps = it->get<double>();
  }
  return c;
}

VisionConfig FromOpenClip(const Json& top, const std::string& path) {
  RefuseUnless(top.contains("model_cfg") && top.at("model_cfg").is_object(), path, "model_cfg", top,
               "an object");
  const Json& model = top.at("model_cfg");
  RefuseUnless(model.contains("vision_cfg") && model.at("vision_cfg").is_object(), path, "vision_cfg", model,
               "an object");
  const Json& vision = model.at("vision_cfg");
  for (const char* key : {"timm_model_name", "attentional_pool", "hidden_act"})
    RefuseUnless(!vision.contains(key) || vision.at(key).is_null() || vision.at(key) == false, path, key,
                 vision, "a plain CLIP ViT");
  VisionConfig c;
  c.image_size = Integer(vision, path, "image_size", 224);
  c.patch_size = Integer(vision, path, "patch_size", 16);
  c.width = Integer(vision, path, "width", 768);
  c.layers = Integer(vision, path, "layers", 12);
  const int64_t head_width = Integer(vision, path, "head_width", 64);
  c.heads = std::max<int64_t>(1, c.width / head_width);
  c.mlp_width = 4 * c.width;
  if (const auto it = vision.find("mlp_ratio"); it != vision.end()) {
    if (!it->is_number()) BadValue(path, "mlp_ratio", *it, "a number");
    c.mlp_width = static_cast<int64_t>(static_cast<double>(c.width) * it->get<double>());
  }
  c.projection = Integer(model, path, "embed_dim", 512);
  const auto quick = model.find("quick_gelu");
  if (quick != model.end() && !quick->is_boolean()) BadValue(path, "quick_gelu", *quick, "true or false");
  c.activation = quick != model.end() && quick->get<bool>() ? "quick_gelu" : "gelu";
  return c;
}

std::string FolderOf(const std::string& path) { return PosixFs().IsDirectory(path) ? path : DirName(path); }

}  // namespace

std::string FindWeightFile(const std::string& path) {
  FileSystem& fs = PosixFs();
  if (!fs.Exists(path))
    throw Error(ErrorCode::kData, "there is no such file or directory", path,
                "give a directory with model.safetensors, or the file");
  if (!fs.IsDirectory(path)) {
    if (!EndsWith(path, ".safetensors"))
      throw Error(ErrorCode::kData, "weights are read from .safetensors files only", path,
                  "docs/MODELS.md has the line of Python that converts a .bin or .pt file");
    return path;
  }
  for (const char* name : {"model.safetensors", "open_clip_model.safetensors"})
    if (fs.Exists(JoinPath(path, name))) return JoinPath(path, name);
  throw Error(ErrorCode::kData, "found neither model.safetensors nor open_clip_model.safetensors", path,
              "docs/MODELS.md has the line of Python that converts a .bin or .pt file");
}

std::optional<VisionConfig> ReadVisionMetadata(const std::string& path) {
  FileSystem& fs = PosixFs();
  const std::string folder = FolderOf(path);
  const std::string hf = JoinPath(folder, "config.json"),
                    open_clip = JoinPath(folder, "open_clip_config.json");
  if (fs.Exists(hf)) return FromHf(ParseObject(hf), hf).Completed();
  if (fs.Exists(open_clip)) return FromOpenClip(ParseObject(open_clip), open_clip).Completed();
  return std::nullopt;
}

std::string HfConfigJson(const VisionConfig& vision) {
  GRATICULE_CHECK(vision.IsComplete());
  Json json;
  json["architectures"] = {"CLIPVisionModelWithProjection"};
  json["attention_dropout"] = 0.0;
  json["hidden_act"] = vision.activation;
  json["hidden_size"] = vision.width;
  json["image_size"] = vision.image_size;
  json["initializer_factor"] = 1.0;
  json["initializer_range"] = 0.02;
  json["intermediate_size"] = vision.mlp_width;
  json["layer_norm_eps"] = vision.layer_norm_eps;
  json["model_type"] = "clip_vision_model";
  json["num_attention_heads"] = vision.heads;
  json["num_channels"] = 3;
  json["num_hidden_layers"] = vision.layers;
  json["patch_size"] = vision.patch_size;
  json["projection_dim"] = vision.projection;
  json["torch_dtype"] = "float32";
  return json.dump(2) + "\n";
}

}  // namespace graticule
