// The JSON files that say what a weight file means: Hugging Face `config.json` and OpenCLIP
// `open_clip_config.json`. Torch-free, so that a configuration error is found before anything heavy starts.
//
// The activation is taken from this metadata alone: a wrong one loads without complaint and costs accuracy.
// HF leaves out values that equal the class's defaults, so a missing key means that default; a missing file
// means nothing and is an Error(kData). Source: transformers `configuration_clip`, open_clip `model_configs`.
#pragma once

#include <optional>
#include <string>

#include "models/model_config.h"

namespace graticule {

// Where the weights of a user's path lie: the .safetensors file itself, or the one in a directory
// (HF name first, then OpenCLIP's). Throws Error(kData) listing what was looked for.
std::string FindWeightFile(const std::string& path);

// The tower that the files at `path` (directory or weight file) describe; nullopt if no metadata lies there.
// A full CLIP model gives its vision half. Throws Error(kData) on malformed or unsupported metadata.
std::optional<VisionConfig> ReadVisionMetadata(const std::string& path);

// Contents of config.json for CLIPVisionModelWithProjection. `vision` is complete.
std::string HfConfigJson(const VisionConfig& vision);

}  // namespace graticule
