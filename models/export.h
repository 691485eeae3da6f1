// The directory that serves a trained model (docs/RUNS.md). `from_pretrained` of Hugging Face's
// CLIPVisionModelWithProjection loads it as it is; the rest is what geolocation adds.
//
//   model.safetensors         the tower, HF keys only
//   heads.safetensors         "heads.<name>.*" and metadata
//   config.json               the tower's shape
//   preprocessor_config.json  for HF's image processor
//   preprocess.json           the same, exact, for everyone
//   cells.safetensors, gallery.safetensors   where answers come from: one of them
//   SHA256SUMS                written last: a directory without it is incomplete
//
// Weights are fp32. An existing directory is replaced file by file. Errors: Error(kData) with the path.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/fs.h"
#include "models/vision_tower.h"

namespace graticule {

struct Preprocessing {
  int64_t image_size = 224;
  std::string filter = "bicubic";          // Pillow's kernels: "bicubic" or "bilinear"
  std::string exif_orientation = "apply";  // or "ignore"
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};
};

// metadata: strings kept in heads.safetensors ("pooling", "visual_projection": "untrained", statistics as
// JSON).
using ExportMetadata = std::map<std::string, std::string>;

// The file that answers come from: its name, and what writes it to the path it is given.
struct ExportAnswers {
  std::string name;
  std::function<void(const std::string& path)> write;
};

// heads: all parameters beyond the tower.
void WriteExport(FileSystem& fs, const std::string& directory, const VisionTower& tower,
                 const std::vector<NamedTensor>& heads, const ExportAnswers& answers,
                 const Preprocessing& preprocessing, const ExportMetadata& metadata);

struct ExportedModel {
  VisionTower tower;
  std::map<std::string, at::Tensor> heads;  // by name
  ExportMetadata metadata;
  Preprocessing preprocessing;
};

// Checks SHA256SUMS first. Throws Error(kData) naming the file that is missing, changed or malformed.
ExportedModel ReadExport(const std::string& directory);

}  // namespace graticule
