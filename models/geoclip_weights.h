// GeoCLIP's weights in and out: its own .pth files, whole-model files and releases in safetensors, and the
// heads of an export of ours.
//
// A file is told by its first bytes, not by its name: a zip of torch.save (base/torch_file.h, which runs
// nothing in it) or safetensors. Everything wrong with it (missing, unexpected, mis-shaped, not floats) is
// one Error(kData) that lists it, thrown before a value is touched. Values are cast to the parameters' type
// and device. Names: models/location_encoder.h, models/image_mlp.h, and "logit_scale" [] for the logarithm of
// the scale; a file of one bare tensor fits a list of one parameter whatever its name.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/fs.h"
#include "models/vision_tower.h"

namespace graticule {

inline constexpr const char* kLocationPrefix = "location_encoder.";
inline constexpr const char* kImagePrefix = "image_encoder.mlp.";
// In the heads.safetensors of an export (models/export.h).
inline constexpr const char* kExportLocationPrefix = "heads.location.";
inline constexpr const char* kExportImagePrefix = "heads.image_mlp.";

struct WeightRules {
  // One of these stands in front of the parameters' names in the file of a whole model, the first that any
  // name begins with; other names then belong to other modules and are passed over. A file without any such
  // name is one of the module alone.
  std::vector<std::string> prefixes;
  // Beginnings of names, without the prefix. Such a parameter keeps its value where the file lacks it, such a
  // tensor of the file is left alone.
  std::vector<std::string> may_be_missing, may_be_unused;
};

// Names without the prefix, in order.
struct WeightReport {
  std::vector<std::string> loaded, missing, unused;
};

// Overwrites the values in place.
WeightReport LoadGeoclipWeights(std::span<const NamedTensor> parameters, const std::string& path,
                                const WeightRules& rules = {});

struct WeightPart {
  std::string prefix;  // "" for a file of one module
  std::vector<NamedTensor> parameters;
};

// Safetensors, replaced atomically; returns the SHA-256. A part each of the two prefixes above and {"",
// {"logit_scale"}} make the model.safetensors of a release, as the published package loads it.
std::string SaveGeoclipWeights(FileSystem& fs, const std::string& path, const std::vector<WeightPart>& parts);

}  // namespace graticule
