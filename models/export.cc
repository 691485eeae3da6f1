#include "models/export.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/safetensors.h"
#include "models/hf_config.h"
#include "models/hf_weights.h"
#include "models/tensor_io.h"

namespace graticule {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSums = "SHA256SUMS";
constexpr int kPilBilinear = 2, kPilBicubic = 3;

std::string HfPreprocessorJson(const Preprocessing& p) {
  Json json;
  json["crop_size"] = {{"height", p.image_size}, {"width", p.image_size}};
  json["do_center_crop"] = true;
  json["do_convert_rgb"] = true;
  json["do_normalize"] = true;
  json["do_rescale"] = true;
  json["do_resize"] = true;
  json["image_mean"] = p.mean;
  json["image_processor_type"] = "CLIPImageProcessor";
  json["image_std"] = p.std;
  json["resample"] = p.filter == "bilinear" ? kPilBilinear : kPilBicubic;
  json["rescale_factor"] = 1.0 / 255;
  json["size"] = {{"shortest_edge", p.image_size}};
  return json.dump(2) + "\n";
}

std::string PreprocessJson(const Preprocessing& p) {
  Json json;
  json["version"] = 1;
  json["exif_orientation"] = p.exif_orientation;
  json["colour"] = "rgb";
  json["resize"] = {{"side", "shortest"},
                    {"to", p.image_size},
                    {"filter", p.filter},
                    {"antialias", true},
                    {"arithmetic", "pillow_u8"}};
  json["centre_crop"] = {{"to", p.image_size}, {"offset", "floor"}};
  json["rescale"] = 1.0 / 255;
  json["mean"] = p.mean;
  json["std"] = p.std;
  json["layout"] = "NCHW";
  return json.dump(2) + "\n";
}

Preprocessing ParsePreprocess(const std::string& path) {
  const Json json = Json::parse(ReadFileToString(path, 1 << 20), nullptr, false);
  Preprocessing p;
  try {
    p.image_size = json.at("resize").at("to").get<int64_t>();
    p.filter = json.at("resize").at("filter").get<std::string>();
    p.exif_orientation = json.at("exif_orientation").get<std::string>();
    p.mean = json.at("mean").get<std::array<double, 3>>();
    p.std = json.at("std").get<std::array<double, 3>>();
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::kData, fmt::format("unreadable preprocessing: {}", e.what()), path,
                "export the model again");
  }
  return p;
}

// Writes tensors from whatever device they are on; returns the file's SHA-256.
std::string WriteTensors(FileSystem& fs, const std::string& path, const std::vector<NamedTensor>& tensors,
                         const ExportMetadata& metadata) {
  SafetensorsWriter writer;
  std::vector<at::Tensor> host;  // alive until Write returns
  for (const NamedTensor& named : tensors) {
    host.push_back(named.tensor.detach().to(at::kCPU, at::kFloat).contiguous());
    writer.Add(named.name, ViewOf(host.back()));
  }
  for (const auto& [key, value] : metadata) writer.SetMetadata(key, value);
  return writer.Write(fs, path);
}

void RequireIntact(const std::string& directory) {
  const std::string sums = JoinPath(directory, kSums);
  if (!PosixFs().Exists(sums))
    throw Error(ErrorCode::kData, "there is no SHA256SUMS: this is no finished export", directory,
                "export the model again");
  std::istringstream lines(ReadFileToString(sums, 1 << 20));
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 67)
      throw Error(ErrorCode::kData, fmt::format("malformed line \"{}\"", line), sums,
                  "export the model again");
    const std::string path = JoinPath(directory, line.substr(66));
    if (line.find('/', 66) != std::string::npos || Sha256HexOfFile(path) != line.substr(0, 64))
      throw Error(ErrorCode::kData, "the file is not the one that was exported", path,
                  "copy the directory again");
  }
}

}  // namespace

void WriteExport(FileSystem& fs, const std::string& directory, const VisionTower& tower,
                 const std::vector<NamedTensor>& heads, const ExportAnswers& answers,
                 const Preprocessing& preprocessing, const ExportMetadata& metadata) {
  const bool there = fs.Exists(directory);
  if (there && (!fs.IsDirectory(directory) ||
                (!fs.List(directory).empty() && !fs.Exists(JoinPath(directory, kSums))))) {
    throw Error(ErrorCode::kUsage, "the directory holds something else than an export", directory,
                "choose another --out, or empty it");
  }
  // An earlier export stays whole until the new one is.
  const std::string target = directory.ends_with('/') ? directory.substr(0, directory.size() - 1) : directory;
  const std::string staged = target + ".tmp", replaced = target + ".old";
  for (const std::string& litter : {staged, replaced}) fs.RemoveTree(litter);
  fs.MakeDirs(staged);
  std::map<std::string, std::string> sums;
  const auto write = [&](const std::string& name, const std::string& bytes) {
    WriteFileAtomically(fs, JoinPath(staged, name), bytes);
    sums[name] = Sha256Hex(bytes);
  };
  const auto tensors = [&](const std::string& name, const std::vector<NamedTensor>& list,
                           const ExportMetadata& extra) {
    sums[name] = WriteTensors(fs, JoinPath(staged, name), list, extra);
  };
  tensors("model.safetensors", tower.parameters(), {});
  tensors("heads.safetensors", heads, metadata);
  write("config.json", HfConfigJson(tower.config()));
  write("preprocessor_config.json", HfPreprocessorJson(preprocessing));
  write("preprocess.json", PreprocessJson(preprocessing));
  answers.write(JoinPath(staged, answers.name));
  sums[answers.name] = Sha256HexOfFile(JoinPath(staged, answers.name));
  std::string text;
  for (const auto& [name, sum] : sums) text += fmt::format("{}  {}\n", sum, name);
  WriteFileAtomically(fs, JoinPath(staged, kSums), text);
  if (there) fs.Rename(target, replaced);
  fs.Rename(staged, target);
  fs.RemoveTree(replaced);
}

ExportedModel ReadExport(const std::string& directory) {
  RequireIntact(directory);
  const std::optional<VisionConfig> config = ReadVisionMetadata(directory);
  if (!config) throw Error(ErrorCode::kData, "there is no config.json", directory, "export the model again");
  VisionTower tower(*config, std::nullopt);
  LoadVisionWeights(tower, directory);
  const auto file = SafetensorsFile::Open(JoinPath(directory, "heads.safetensors"));
  std::map<std::string, at::Tensor> heads;
  for (const auto& [name, view] : file->tensors()) heads[name] = CopyToTensor(view);
  return {std::move(tower), std::move(heads), file->metadata(),
          ParsePreprocess(JoinPath(directory, "preprocess.json"))};
}

}  // namespace graticule
