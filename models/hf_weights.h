// Published CLIP weights into a tower. Reads the layouts people have: Hugging Face (whole CLIPModel, vision
// model with or without projection, prefixed or flat keys) and OpenAI/OpenCLIP ("visual.*"), fp32, fp16 or
// bf16, with "module." or "_orig_mod." in front. Text towers, position_ids and our own heads are passed over.
//
// Everything wrong with a file (missing, unexpected, mis-shaped) is one Error(kData) that lists it all.
// The activation in the metadata beside the weights must be the tower's (models/hf_config.h).
#pragma once

#include <string>

#include "base/safetensors.h"
#include "models/vision_tower.h"

namespace graticule {

struct LoadedWeights {
  std::string file;
  std::string layout;           // "huggingface" or "openclip"
  bool has_projection = false;  // false: the file is a bare CLIPVisionModel, visual_projection was left alone
};

// path: directory or .safetensors file. Overwrites the tower's values in place.
LoadedWeights LoadVisionWeights(VisionTower& tower, const std::string& path);

// The part after the file was opened and its metadata checked; for tests and for bytes from elsewhere.
LoadedWeights LoadVisionTensors(VisionTower& tower, const SafetensorsFile& file, const std::string& name);

}  // namespace graticule
