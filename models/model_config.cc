#include "models/model_config.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"
#include "base/fs.h"
#include "models/hf_config.h"

namespace graticule {
namespace {

struct Shape {
  const char* name;
  int64_t image_size, patch_size, width, layers, heads, mlp_width, projection;
};

constexpr std::array<Shape, 4> kShapes = {{
    {"clip-vit-b32", 224, 32, 768, 12, 12, 3072, 512},
    {"clip-vit-b16", 224, 16, 768, 12, 12, 3072, 512},
    {"clip-vit-l14", 224, 14, 1024, 24, 16, 4096, 768},
    {"clip-vit-l14-336", 336, 14, 1024, 24, 16, 4096, 768},
}};

const Shape& ShapeOf(const std::string& name) {
  for (const Shape& shape : kShapes)
    if (shape.name == name) return shape;
  throw Error(ErrorCode::kUsage, fmt::format("unknown vision preset \"{}\"", name), "model.vision.preset",
              fmt::format("one of {}", fmt::join(VisionPresets(), ", ")));
}

void TakeIfUnset(int64_t& field, int64_t value) {
  if (field == 0) field = value;
}

// A field that the user set and the files at `init` contradict.
template <typename T>
void Agree(std::vector<std::string>& clashes, const char* key, const T& configured, const T& unset,
           const T& found) {
  if (configured != unset && configured != found)
    clashes.push_back(fmt::format("model.vision.{} is {}, the weights have {}", key, configured, found));
}

std::vector<std::string> Clashes(const VisionConfig& set, const VisionConfig& found) {
  std::vector<std::string> clashes;
  Agree<int64_t>(clashes, "image_size", set.image_size, 0, found.image_size);
  Agree<int64_t>(clashes, "patch_size", set.patch_size, 0, found.patch_size);
  Agree<int64_t>(clashes, "width", set.width, 0, found.width);
  Agree<int64_t>(clashes, "layers", set.layers, 0, found.layers);
  Agree<int64_t>(clashes, "heads", set.heads, 0, found.heads);
  Agree<int64_t>(clashes, "mlp_width", set.mlp_width, 0, found.mlp_width);
  Agree<int64_t>(clashes, "projection", set.projection, 0, found.projection);
  Agree<std::string>(clashes, "activation", set.activation, "", found.activation);
  return clashes;
}

}  // namespace

const std::vector<std::string>& VisionPresets() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Shape& shape : kShapes) list.push_back(shape.name);
    return list;
  }();
  return names;
}

VisionConfig VisionPreset(const std::string& name) {
  VisionConfig config;
  config.preset = name;
  return config.Completed();
}

void VisionConfig::Bind(Section& s) {
  const double huge = 1 << 16;
  s.Choice("preset", &preset, VisionPresets(), "named shape; each field below overrides it");
  s.Field("image_size", &image_size,
          {.help = "side of the input; 0: the preset's", .unit = "px", .min = 0, .max = huge});
  s.Field("patch_size", &patch_size,
          {.help = "side of a patch; 0: the preset's", .unit = "px", .min = 0, .max = huge});
  s.Field("width", &width, {.help = "channels of a token; 0: the preset's", .min = 0, .max = huge});
  s.Field("layers", &layers, {.help = "transformer blocks; 0: the preset's", .min = 0, .max = 1024});
  s.Field("heads", &heads,
          {.help = "attention heads; 0: the preset's, or width / 64", .min = 0, .max = huge});
  s.Field("mlp_width", &mlp_width,
          {.help = "hidden channels of the MLP; 0: the preset's, or 4 * width", .min = 0, .max = 4 * huge});
  s.Field("projection", &projection,
          {.help = "dimension of image_embeds; 0: the preset's", .min = 0, .max = huge});
  s.Choice("activation", &activation, {"", "quick_gelu", "gelu"},
           "of the MLP; \"\": what the weights say, quick_gelu for random ones");
  s.Field("layer_norm_eps", &layer_norm_eps,
          {.help = "added to the variance in every LayerNorm", .min = 1e-12, .max = 1e-2});
}

VisionConfig VisionConfig::Completed() const {
  VisionConfig c = *this;
  const Shape& shape = ShapeOf(preset);
  if (c.width != 0 && c.width != shape.width) {
    TakeIfUnset(c.heads, c.width % 64 == 0 ? c.width / 64 : 1);
    TakeIfUnset(c.mlp_width, 4 * c.width);
  }
  TakeIfUnset(c.image_size, shape.image_size);
  TakeIfUnset(c.patch_size, shape.patch_size);
  TakeIfUnset(c.width, shape.width);
  TakeIfUnset(c.layers, shape.layers);
  TakeIfUnset(c.heads, shape.heads);
  TakeIfUnset(c.mlp_width, shape.mlp_width);
  TakeIfUnset(c.projection, shape.projection);
  if (c.activation.empty()) c.activation = "quick_gelu";
  if (c.image_size % c.patch_size != 0)
    throw Error(ErrorCode::kUsage,
                fmt::format("image_size {} is no multiple of patch_size {}", c.image_size, c.patch_size),
                "model.vision", "choose a size that whole patches cover");
  if (c.width % c.heads != 0)
    throw Error(ErrorCode::kUsage, fmt::format("width {} is no multiple of heads {}", c.width, c.heads),
                "model.vision", "CLIP uses heads of 64 channels");
  return c;
}

bool VisionConfig::IsComplete() const {
  return image_size && patch_size && width && layers && heads && mlp_width && projection &&
         !activation.empty();
}

int64_t VisionConfig::ParameterCount() const {
  const int64_t w = width, m = mlp_width;
  const int64_t block = 4 * (w * w + w) + (w * m + m) + (m * w + w) + 4 * w;
  return 3 * patch_size * patch_size * w + w + Tokens() * w + 4 * w + layers * block + w * projection;
}

void ModelConfig::Bind(Section& s) {
  s.Sub("vision", &vision, "shape of the vision tower");
  s.Field("init", &init,
          {.help = "directory or .safetensors file (Hugging Face or OpenCLIP) to start from; \"\": random",
           .on_resume = OnResume::kWarn});
  s.Choice("pooling", &pooling, {"mean", "cls", "embeds"},
           "what the heads see: mean of all tokens, pooler_output, or the projected image_embeds");
  s.Field("frozen_layers", &frozen_layers,
          {.help = "embeddings and this many first blocks stay as they are; -1: whole tower",
           .min = -1,
           .max = 1024});
  s.Field("recompute", &recompute,
          {.help = "recompute each block's activations in backward: less memory, a third more work",
           .on_resume = OnResume::kFree});
  s.Check([this]() -> std::string {
    try {
      Complete();
    } catch (const Error& e) {
      return e.what();
    }
    if (frozen_layers > vision.layers)
      return fmt::format("model.frozen_layers is {}, the tower has {} blocks", frozen_layers, vision.layers);
    return "";
  });
}

void ModelConfig::Complete() {
  if (!vision.IsComplete() && !init.empty()) {
    if (!PosixFs().Exists(init)) {
      throw Error(ErrorCode::kData, "there is no such file or folder", init,
                  "model.init names a folder with model.safetensors and config.json");
    }
    const std::optional<VisionConfig> found = ReadVisionMetadata(init);
    if (!found && vision.activation.empty())
      throw Error(ErrorCode::kData, "the weights come without config.json, so their activation is unknown",
                  init,
                  "put the model's config.json beside them, or set model.vision.activation to what they were "
                  "trained with");
    if (found) {
      const std::vector<std::string> clashes = Clashes(vision, *found);
      if (!clashes.empty())
        throw Error(ErrorCode::kUsage, fmt::format("{}", fmt::join(clashes, "; ")), init,
                    "leave model.vision out: the shape comes with the weights");
      const std::string preset = vision.preset;
      vision = *found;
      vision.preset = preset;
    }
  }
  vision = vision.Completed();
}

}  // namespace graticule
