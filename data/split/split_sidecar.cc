#include "data/split/split_sidecar.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/safetensors.h"
#include "data/shard/sidecar_file.h"

namespace graticule {
namespace {

constexpr char kSplitAgain[] = "Write it again with `graticule data split`.";

}  // namespace

SplitLabels ReadSplit(const std::string& folder, const Manifest& manifest) {
  GRATICULE_CHECK(manifest.split_sidecar.has_value());
  CheckHash(folder, *manifest.split_sidecar);
  const std::string path = JoinPath(folder, manifest.split_sidecar->file);
  const auto file = SafetensorsFile::Open(path);
  const TensorView& view = file->at("label");
  if (view.dtype != SafeDType::kU8 || view.shape != std::vector<int64_t>{manifest.n_records}) {
    throw Error(ErrorCode::kData, fmt::format("tensor \"label\" is not u8 with {} rows", manifest.n_records),
                path, kSplitAgain);
  }
  SplitLabels labels;
  labels.metadata = file->metadata();
  const nlohmann::json names = nlohmann::json::parse(labels.metadata["labels"], nullptr, false);
  if (!names.is_array() ||
      !std::all_of(names.begin(), names.end(), [](const auto& n) { return n.is_string(); })) {
    throw Error(ErrorCode::kData, "metadata \"labels\" is not a list of names", path, kSplitAgain);
  }
  labels.names = names.get<std::vector<std::string>>();
  labels.label.assign(view.data, view.data + view.bytes);
  const auto largest = std::max_element(labels.label.begin(), labels.label.end());
  if (largest != labels.label.end() && *largest >= labels.names.size()) {
    throw Error(ErrorCode::kData, fmt::format("label {} has no name", *largest), path, kSplitAgain);
  }
  return labels;
}

std::string WriteSplit(FileSystem& fs, const std::string& folder, Manifest manifest,
                       const SplitLabels& labels) {
  GRATICULE_CHECK(static_cast<int64_t>(labels.label.size()) == manifest.n_records);
  SafetensorsWriter writer;
  writer.Add("label", {.dtype = SafeDType::kU8,
                       .shape = {manifest.n_records},
                       .data = labels.label.data(),
                       .bytes = labels.label.size()});
  for (const auto& [key, value] : labels.metadata) writer.SetMetadata(key, value);
  writer.SetMetadata("labels", nlohmann::json(labels.names).dump());
  SplitEntry entry;
  entry.name = "split";
  static_cast<HashedFile&>(entry) = WriteSidecarFile(fs, folder, "split", writer);
  for (const std::string& name : labels.names) entry.counts[name] = 0;
  for (const uint8_t label : labels.label) ++entry.counts[labels.names.at(label)];
  manifest.split_sidecar = entry;
  WriteManifest(fs, folder, manifest);
  RemoveOldSidecars(fs, folder, "split", entry);
  return JoinPath(folder, entry.file);
}

std::vector<std::string> SplitNames(const std::string& folder, const Manifest& manifest) {
  return manifest.split_sidecar ? ReadSplit(folder, manifest).names
                                : std::vector<std::string>{manifest.split};
}

std::vector<uint32_t> SelectSplit(const std::string& folder, const Manifest& manifest,
                                  const std::vector<std::string>& wanted) {
  SplitLabels labels;
  if (manifest.split_sidecar) {
    labels = ReadSplit(folder, manifest);
  } else {
    labels.names = {manifest.split};
    labels.label.assign(manifest.n_records, 0);
  }
  std::vector<bool> keep(labels.names.size(), false);
  const bool undivided = !manifest.split_sidecar && manifest.split == "all";
  for (const std::string& name : wanted) {
    if (undivided && name == "train") {
      keep[0] = true;
      continue;
    }
    const auto found = std::find(labels.names.begin(), labels.names.end(), name);
    if (found == labels.names.end()) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("there is no split \"{}\"; there is {}", name, fmt::join(labels.names, ", ")),
                  folder, "name one of these, or make it with `graticule data split`");
    }
    keep[found - labels.names.begin()] = true;
  }
  std::vector<uint32_t> rows;
  for (size_t i = 0; i < labels.label.size(); ++i) {
    if (keep[labels.label[i]]) rows.push_back(static_cast<uint32_t>(i));
  }
  return rows;
}

}  // namespace graticule
