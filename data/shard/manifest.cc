#include "data/shard/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json_object.h"

namespace graticule {
namespace {

using nlohmann::json;
constexpr char kFormat[] = "graticule-dataset";
constexpr char kImportAgain[] = "Import or fetch the dataset again.";

std::map<std::string, int64_t> ParseCounts(const JsonObject& object) {
  std::map<std::string, int64_t> out;
  const JsonObject counts = object.Child("counts");
  for (const auto& [name, unused] : counts.value().items())
    out[name] = static_cast<int64_t>(counts.Unsigned(name.c_str()));
  return out;
}

json ToJson(const ShardEntry& shard) {
  json out = ToJson(static_cast<const HashedFile&>(shard));
  out.update({{"head_sha256", shard.head_sha256},
              {"n", shard.n},
              {"first", shard.first},
              {"img_abs_off", shard.img_abs_off},
              {"img_bytes", shard.img_bytes}});
  if (!shard.box.empty()) {
    out["bbox"] = {shard.box.min_lat, shard.box.min_lon, shard.box.max_lat, shard.box.max_lon};
  }
  return out;
}

ShardEntry ParseShard(const JsonObject& object) {
  ShardEntry shard;
  Parse(object, shard);
  shard.head_sha256 = object.Sha256("head_sha256");
  shard.n = static_cast<int64_t>(object.Unsigned("n"));
  shard.first = static_cast<int64_t>(object.Unsigned("first"));
  shard.img_abs_off = object.Unsigned("img_abs_off");
  shard.img_bytes = object.Unsigned("img_bytes");
  if (shard.img_abs_off > shard.size || shard.img_bytes > shard.size - shard.img_abs_off) {
    object.Fail("img_bytes", "does not fit into the file");
  }
  if (object.Has("bbox")) {
    const json& box = object.At("bbox");
    if (!box.is_array() || box.size() != 4 ||
        !std::all_of(box.begin(), box.end(), [](const json& side) { return side.is_number(); })) {
      object.Fail("bbox", "is not four numbers");
    }
    shard.box = {.min_lat = box[0], .max_lat = box[2], .min_lon = box[1], .max_lon = box[3]};
  }
  return shard;
}

void ParseShards(const JsonObject& root, Manifest& manifest) {
  int64_t first = 0;
  for (size_t i = 0; i < root.List("shards").size(); ++i) {
    const JsonObject object = root.Item("shards", i);
    manifest.shards.push_back(ParseShard(object));
    if (manifest.shards.back().first != first) object.Fail("first", fmt::format("is not {}", first));
    first += manifest.shards.back().n;
  }
  if (first != manifest.n_records) {
    root.Fail("n_records", fmt::format("is {}, but the shards hold {}", manifest.n_records, first));
  }
}

Manifest FromJson(const json& value, const std::string& where) {
  const JsonObject root(value, "", where, kImportAgain);
  if (root.String("format") != kFormat) root.Fail("format", fmt::format("is not \"{}\"", kFormat));
  if (root.Unsigned("version_major") != kSchemaMajor) {
    root.Fail("version_major",
              fmt::format("is not {}: written by another version of graticule", kSchemaMajor));
  }
  Manifest manifest;
  manifest.dataset = root.String("dataset");
  manifest.split = root.String("split");
  manifest.source_uri = root.String("source_uri");
  manifest.licence_note = root.String("licence_note");
  manifest.n_records = static_cast<int64_t>(root.Unsigned("n_records"));
  manifest.consecutive_within_25km = root.Number("consecutive_within_25km");
  ParseShards(root, manifest);
  Parse(root.Child("index"), manifest.index);
  if (root.Has("split_sidecar")) {
    const JsonObject object = root.Child("split_sidecar");
    manifest.split_sidecar.emplace();
    Parse(object, *manifest.split_sidecar);
    manifest.split_sidecar->name = object.String("name");
    manifest.split_sidecar->counts = ParseCounts(object);
  }
  if (root.Has("enrich_sidecar")) {
    const JsonObject object = root.Child("enrich_sidecar");
    manifest.enrich_sidecar.emplace();
    Parse(object, *manifest.enrich_sidecar);
    manifest.enrich_sidecar->counts = ParseCounts(object);
  }
  const JsonObject stats = root.Child("stats");
  for (const auto& [path, unused] : stats.value().items()) {
    const JsonObject object = stats.Child(path.c_str());
    manifest.stats[path] = {.count = static_cast<int64_t>(object.Unsigned("count")),
                            .mean = object.Number("mean"),
                            .std = object.Number("std"),
                            .min = object.Number("min"),
                            .max = object.Number("max")};
  }
  const JsonObject dictionaries = root.Child("dictionaries");
  for (const auto& [level, unused] : dictionaries.value().items()) {
    const JsonObject object = dictionaries.Child(level.c_str());
    manifest.dictionaries[level] = {static_cast<int64_t>(object.Unsigned("entries")),
                                    object.Sha256("sha256")};
  }
  return manifest;
}

}  // namespace

void BoundingBox::Include(double lat_deg, double lon_deg) {
  min_lat = std::min(min_lat, lat_deg);
  max_lat = std::max(max_lat, lat_deg);
  min_lon = std::min(min_lon, lon_deg);
  max_lon = std::max(max_lon, lon_deg);
}

void BoundingBox::Include(const BoundingBox& other) {
  if (other.empty()) return;
  Include(other.min_lat, other.min_lon);
  Include(other.max_lat, other.max_lon);
}

Manifest ParseManifest(std::string_view text, const std::string& where) {
  const json value = ParseJson(text, where, kImportAgain);
  Manifest manifest = FromJson(value, where);
  manifest.sha256 = Sha256Hex(text);
  return manifest;
}

void RequireManifest(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::exists(JoinPath(folder, kManifestName), error)) return;
  constexpr char kName[] = "Name the folder that `graticule data import` wrote.";
  if (error == std::errc::permission_denied)
    throw Error(ErrorCode::kData, fmt::format("cannot look for a dataset: {}", error.message()), folder,
                "Check the permissions of the path.");
  if (!PosixFs().Exists(folder))
    throw Error(ErrorCode::kUsage, "there is no such folder; expected a dataset", folder, kName);
  if (!PosixFs().IsDirectory(folder))
    throw Error(ErrorCode::kData, "this is a file; expected the folder of a dataset", folder, kName);
  if (PosixFs().Exists(JoinPath(folder, kJournalName)))
    throw Error(ErrorCode::kData, "the import of this dataset has not finished", folder,
                "Repeat the `graticule data import` command that began it: it goes on where it stopped.");
  throw Error(ErrorCode::kData, fmt::format("no dataset is here: there is no {}", kManifestName), folder,
              kName);
}

Manifest ReadManifest(const std::string& folder) {
  RequireManifest(folder);
  const std::string path = JoinPath(folder, kManifestName);
  return ParseManifest(ReadFileToString(path, 64 << 20), path);
}

void WriteManifest(FileSystem& fs, const std::string& folder, const Manifest& manifest) {
  json out = {{"format", kFormat},
              {"version_major", kSchemaMajor},
              {"version_minor", kSchemaMinor},
              {"dataset", manifest.dataset},
              {"split", manifest.split},
              {"source_uri", manifest.source_uri},
              {"licence_note", manifest.licence_note},
              {"n_records", manifest.n_records},
              {"consecutive_within_25km", manifest.consecutive_within_25km},
              {"index", ToJson(manifest.index)},
              {"shards", json::array()},
              {"stats", json::object()},
              {"dictionaries", json::object()}};
  for (const ShardEntry& shard : manifest.shards) out["shards"].push_back(ToJson(shard));
  for (const auto& [path, s] : manifest.stats) {
    out["stats"][path] = {
        {"count", s.count}, {"mean", s.mean}, {"std", s.std}, {"min", s.min}, {"max", s.max}};
  }
  for (const auto& [level, entry] : manifest.dictionaries) {
    out["dictionaries"][level] = {{"entries", entry.entries}, {"sha256", entry.sha256}};
  }
  if (manifest.split_sidecar) {
    json sidecar = ToJson(static_cast<const HashedFile&>(*manifest.split_sidecar));
    sidecar["name"] = manifest.split_sidecar->name;
    sidecar["counts"] = manifest.split_sidecar->counts;
    out["split_sidecar"] = sidecar;
  }
  if (manifest.enrich_sidecar) {
    out["version_minor"] = kEnrichedMinor;
    out["enrich_sidecar"] = ToJson(static_cast<const HashedFile&>(*manifest.enrich_sidecar));
    out["enrich_sidecar"]["counts"] = manifest.enrich_sidecar->counts;
  }
  WriteFileAtomically(fs, JoinPath(folder, kManifestName), out.dump(1) + "\n");
}

std::string RecordsSha256(const Manifest& manifest) {
  Sha256 hash;
  for (const ShardEntry& shard : manifest.shards) hash.Update(shard.sha256);
  return hash.HexDigest();
}

}  // namespace graticule
