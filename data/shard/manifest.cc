#include "data/shard/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.h"

namespace graticule {
namespace {

using nlohmann::json;
constexpr char kFormat[] = "graticule-dataset";
constexpr char kImportAgain[] = "Import or fetch the dataset again.";

// A JSON object whose members are demanded by name, so that errors can say which one is wrong.
class Object {
 public:
  Object(const json& value, std::string path, const std::string& where)
      : value_(value), path_(std::move(path)), where_(where) {
    if (!value.is_object()) Fail("", "is not an object");
  }
  const json& At(const char* key) const {
    const auto found = value_.find(key);
    if (found == value_.end()) Fail(key, "is missing");
    return *found;
  }
  bool Has(const char* key) const { return value_.contains(key); }
  std::string String(const char* key) const {
    if (!At(key).is_string()) Fail(key, "is not a string");
    return At(key).get<std::string>();
  }
  uint64_t Unsigned(const char* key) const {
    if (!At(key).is_number_unsigned()) Fail(key, "is not a non-negative integer");
    const uint64_t number = At(key).get<uint64_t>();
    if (number > uint64_t{1} << 62) Fail(key, "is too large");
    return number;
  }
  double Number(const char* key) const {
    if (!At(key).is_number()) Fail(key, "is not a number");
    return At(key).get<double>();
  }
  std::string Sha256(const char* key) const {
    const std::string hash = String(key);
    const bool hex = std::all_of(hash.begin(), hash.end(),
                                 [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    if (hash.size() != 64 || !hex) Fail(key, "is not a SHA-256 in lower-case hex");
    return hash;
  }
  std::string PlainFileName(const char* key) const {
    const std::string name = String(key);
    if (name.empty() || name[0] == '.' ||
        name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      Fail(key, "is not the name of a file inside the folder");
    }
    return name;
  }
  Object Child(const char* key) const { return Object(At(key), path_ + key + ".", where_); }
  [[noreturn]] void Fail(const char* key, const std::string& problem) const {
    throw Error(ErrorCode::kData, fmt::format("\"{}{}\" {}", path_, key, problem), where_, kImportAgain);
  }
  const json& value() const { return value_; }

 private:
  const json& value_;
  std::string path_;
  const std::string& where_;
};

json ToJson(const HashedFile& file) {
  return {{"file", file.file}, {"size", file.size}, {"sha256", file.sha256}};
}

void Parse(const Object& object, HashedFile& file) {
  file.file = object.PlainFileName("file");
  file.size = object.Unsigned("size");
  file.sha256 = object.Sha256("sha256");
}

std::map<std::string, int64_t> ParseCounts(const Object& object) {
  std::map<std::string, int64_t> out;
  const Object counts = object.Child("counts");
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

ShardEntry ParseShard(const Object& object) {
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

void ParseShards(const Object& root, const std::string& where, Manifest& manifest) {
  const json& shards = root.At("shards");
  if (!shards.is_array()) root.Fail("shards", "is not a list");
  int64_t first = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const Object object(shards[i], fmt::format("shards[{}].", i), where);
    manifest.shards.push_back(ParseShard(object));
    if (manifest.shards.back().first != first) object.Fail("first", fmt::format("is not {}", first));
    first += manifest.shards.back().n;
  }
  if (first != manifest.n_records) {
    root.Fail("n_records", fmt::format("is {}, but the shards hold {}", manifest.n_records, first));
  }
}

Manifest FromJson(const json& value, const std::string& where) {
  const Object root(value, "", where);
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
  ParseShards(root, where, manifest);
  Parse(root.Child("index"), manifest.index);
  if (root.Has("split_sidecar")) {
    const Object object = root.Child("split_sidecar");
    manifest.split_sidecar.emplace();
    Parse(object, *manifest.split_sidecar);
    manifest.split_sidecar->name = object.String("name");
    manifest.split_sidecar->counts = ParseCounts(object);
  }
  if (root.Has("enrich_sidecar")) {
    const Object object = root.Child("enrich_sidecar");
    manifest.enrich_sidecar.emplace();
    Parse(object, *manifest.enrich_sidecar);
    manifest.enrich_sidecar->counts = ParseCounts(object);
  }
  const Object stats = root.Child("stats");
  for (const auto& [path, entry] : stats.value().items()) {
    const Object object(entry, "stats." + path + ".", where);
    manifest.stats[path] = {.count = static_cast<int64_t>(object.Unsigned("count")),
                            .mean = object.Number("mean"),
                            .std = object.Number("std"),
                            .min = object.Number("min"),
                            .max = object.Number("max")};
  }
  const Object dictionaries = root.Child("dictionaries");
  for (const auto& [level, entry] : dictionaries.value().items()) {
    const Object object(entry, "dictionaries." + level + ".", where);
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
  json value;
  // nlohmann's parser recurses only per nesting level of its own stack, and the text is at most 64 MiB.
  try {
    value = json::parse(text);
  } catch (const json::exception& problem) {
    throw Error(ErrorCode::kData, fmt::format("not valid JSON: {}", problem.what()), where, kImportAgain);
  }
  Manifest manifest = FromJson(value, where);
  manifest.sha256 = Sha256Hex(text);
  return manifest;
}

Manifest ReadManifest(const std::string& folder) {
  const std::string path = JoinPath(folder, kManifestName);
  if (!PosixFs().Exists(path)) {
    throw Error(ErrorCode::kData, fmt::format("no {} here", kManifestName), folder,
                "Name the folder that `graticule data import` wrote.");
  }
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

void CheckSize(const std::string& folder, const HashedFile& file) {
  const std::string path = JoinPath(folder, file.file);
  if (!PosixFs().Exists(path)) {
    throw Error(ErrorCode::kData, "the file is missing, but the manifest names it", path,
                "Fetch or import it again.");
  }
  const uint64_t found = PosixFs().FileSize(path);
  if (found != file.size) {
    throw Error(ErrorCode::kData, fmt::format("found {} bytes, the manifest says {}", found, file.size), path,
                found < file.size ? "The copy is incomplete; fetch it again."
                                  : "Another file has this name; fetch it again.");
  }
}

void CheckHash(const std::string& folder, const HashedFile& file) {
  CheckSize(folder, file);
  const std::string path = JoinPath(folder, file.file);
  const std::string found = Sha256HexOfFile(path);
  if (found != file.sha256) {
    throw Error(ErrorCode::kData, fmt::format("SHA-256 is {}, the manifest says {}", found, file.sha256),
                path, "The bytes changed since the import; fetch the file again.");
  }
}

}  // namespace graticule
