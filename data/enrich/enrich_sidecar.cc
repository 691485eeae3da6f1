#include "data/enrich/enrich_sidecar.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/shard/sidecar_file.h"

namespace graticule {
namespace {

using nlohmann::json;
constexpr char kEnrichAgain[] = "Write it again with `graticule data enrich`.";

template <typename T>
constexpr SafeDType kDType = SafeDType::kU8;
template <>
constexpr SafeDType kDType<uint16_t> = SafeDType::kU16;
template <>
constexpr SafeDType kDType<float> = SafeDType::kF32;

json ToJson(const EnrichColumnInfo& info) {
  json sources = json::array();
  for (const EnrichSource& source : info.sources)
    sources.push_back({{"file", source.file}, {"sha256", source.sha256}});
  json out = {{"sources", sources},
              {"method", info.method},
              {"reach_km", info.reach_km},
              {"replace", info.replace},
              {"direct", info.direct},
              {"fallback", info.fallback},
              {"fallback_mean_km", info.fallback_mean_km},
              {"fallback_max_km", info.fallback_max_km}};
  if (!info.legend.empty()) out["legend"] = info.legend;
  return out;
}

EnrichColumnInfo FromJson(const json& value) {
  EnrichColumnInfo info;
  for (const json& source : value.at("sources"))
    info.sources.push_back({source.at("file").get<std::string>(), source.at("sha256").get<std::string>()});
  info.method = value.at("method").get<std::string>();
  info.reach_km = value.at("reach_km").get<double>();
  info.replace = value.at("replace").get<bool>();
  info.direct = value.at("direct").get<int64_t>();
  info.fallback = value.at("fallback").get<int64_t>();
  info.fallback_mean_km = value.at("fallback_mean_km").get<double>();
  info.fallback_max_km = value.at("fallback_max_km").get<double>();
  info.legend = value.value("legend", "");
  return info;
}

template <typename T>
std::span<const T> View(const TensorView& view, const std::string& name, int64_t n, const std::string& path) {
  if (view.dtype != kDType<T> || view.shape != std::vector<int64_t>{n}) {
    throw Error(ErrorCode::kData,
                fmt::format("tensor \"{}\" is {} with {} rows, expected {} with {}", name, NameOf(view.dtype),
                            view.shape.empty() ? 1 : view.shape[0], NameOf(kDType<T>), n),
                path, kEnrichAgain);
  }
  return {reinterpret_cast<const T*>(view.data), static_cast<size_t>(n)};
}

std::map<std::string, EnrichColumnInfo> ParseColumns(const SafetensorsFile& file, const std::string& path) {
  std::map<std::string, EnrichColumnInfo> columns;
  try {
    const json parsed = json::parse(file.metadata().at("columns"));
    for (const auto& [name, value] : parsed.items()) columns[name] = FromJson(value);
  } catch (const std::exception& problem) {
    throw Error(ErrorCode::kData, fmt::format("metadata \"columns\" is not as expected: {}", problem.what()),
                path, kEnrichAgain);
  }
  return columns;
}

TensorView ViewOf(const EnrichValues& values) {
  return std::visit(
      []<typename T>(const std::vector<T>& v) {
        return TensorView{.dtype = kDType<T>,
                          .shape = {static_cast<int64_t>(v.size())},
                          .data = reinterpret_cast<const uint8_t*>(v.data()),
                          .bytes = v.size() * sizeof(T)};
      },
      values);
}

}  // namespace

EnrichSidecar EnrichSidecar::Open(const std::string& folder, const Manifest& manifest) {
  GRATICULE_CHECK(manifest.enrich_sidecar.has_value());
  CheckHash(folder, *manifest.enrich_sidecar);
  const std::string path = JoinPath(folder, manifest.enrich_sidecar->file);
  EnrichSidecar sidecar;
  sidecar.file_ = SafetensorsFile::Open(path);
  sidecar.columns = ParseColumns(*sidecar.file_, path);
  const int64_t n = manifest.n_records;
  for (const auto& [name, view] : sidecar.file_->tensors()) {
    const auto aux = std::find_if(std::begin(kAuxColumns), std::end(kAuxColumns),
                                  [&column = name](const char* known) { return column == known; });
    if (!sidecar.columns.contains(name)) {
      throw Error(ErrorCode::kData, fmt::format("metadata \"columns\" says nothing of tensor \"{}\"", name),
                  path, kEnrichAgain);
    }
    if (name == "climate") {
      sidecar.climate = View<uint8_t>(view, name, n, path);
    } else if (name == "landcover") {
      sidecar.landcover = View<uint8_t>(view, name, n, path);
    } else if (name == "drive_left") {
      sidecar.drive_left = View<uint8_t>(view, name, n, path);
    } else if (name == "country_iso") {
      sidecar.country_iso = View<uint16_t>(view, name, n, path);
    } else if (name == kCoastColumn) {
      sidecar.coast_km = View<float>(view, name, n, path);
    } else if (aux != std::end(kAuxColumns)) {
      sidecar.aux[aux - std::begin(kAuxColumns)] = View<float>(view, name, n, path);
    } else {
      throw Error(ErrorCode::kData, fmt::format("tensor \"{}\" is no column of an enrichment", name), path,
                  "Written by another version of graticule?");
    }
  }
  for (const auto& [name, unused] : sidecar.columns) sidecar.file_->at(name);
  return sidecar;
}

Manifest WriteEnrichment(FileSystem& fs, const std::string& folder, Manifest manifest,
                         const std::map<std::string, EnrichColumn>& added) {
  SafetensorsWriter writer;
  json columns = json::object();
  EnrichEntry entry;
  std::shared_ptr<const SafetensorsFile> old;  // its views are written again
  if (manifest.enrich_sidecar) {
    const EnrichSidecar sidecar = EnrichSidecar::Open(folder, manifest);
    old = SafetensorsFile::Open(JoinPath(folder, manifest.enrich_sidecar->file));
    for (const auto& [name, info] : sidecar.columns) {
      if (added.contains(name)) continue;
      writer.Add(name, old->at(name));
      columns[name] = ToJson(info);
      entry.counts[name] = info.direct + info.fallback;
    }
  }
  for (const auto& [name, column] : added) {
    const TensorView view = ViewOf(column.values);
    GRATICULE_CHECK(view.shape[0] == manifest.n_records, name);
    writer.Add(name, view);
    columns[name] = ToJson(column.info);
    entry.counts[name] = column.info.direct + column.info.fallback;
  }
  writer.SetMetadata("columns", columns.dump());
  static_cast<HashedFile&>(entry) = WriteSidecarFile(fs, folder, "enrich", writer);
  manifest.enrich_sidecar = entry;
  WriteManifest(fs, folder, manifest);
  RemoveOldSidecars(fs, folder, "enrich", entry);
  return ReadManifest(folder);
}

}  // namespace graticule
