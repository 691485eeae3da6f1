#include "data/embedding/embedding_manifest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_object.h"

namespace graticule {
namespace {

using nlohmann::json;
constexpr char kFormat[] = "graticule-embeddings";
constexpr char kEmbedAgain[] = "Make the store again with `graticule embed`.";
constexpr unsigned kVersion = 1;

json AugmentJson(const AugmentOptions& a) {
  json out = {{"image_size", a.image_size},
              {"kind", a.kind},
              {"filter", a.filter},
              {"exif_orientation", a.apply_exif_orientation ? "apply" : "ignore"},
              {"decode", a.decode}};
  if (a.kind == "random_resized_crop") {
    out["scale"] = {a.scale_min, a.scale_max};
    out["ratio"] = {a.ratio_min, a.ratio_max};
  }
  return out;
}

AugmentOptions ParseAugment(const JsonObject& object) {
  AugmentOptions a;
  a.image_size = static_cast<int64_t>(object.Unsigned("image_size"));
  a.kind = object.String("kind");
  a.filter = object.String("filter");
  a.apply_exif_orientation = object.String("exif_orientation") == "apply";
  a.decode = object.String("decode");
  const auto pair = [&](const char* key, double& low, double& high) {
    if (!object.Has(key)) return;
    const json& values = object.List(key);
    if (values.size() != 2 || !values[0].is_number() || !values[1].is_number())
      object.Fail(key, "is not two numbers");
    low = values[0];
    high = values[1];
  };
  pair("scale", a.scale_min, a.scale_max);
  pair("ratio", a.ratio_min, a.ratio_max);
  return a;
}

json ToJson(const EmbeddingPlan& plan) {
  return {{"format", kFormat},
          {"version", kVersion},
          {"tower_sha256", plan.tower_sha256},
          {"output", plan.output},
          {"precision", plan.precision},
          {"dataset", plan.dataset},
          {"records_sha256", plan.records_sha256},
          {"preprocessing", AugmentJson(plan.augment)},
          {"seed", plan.seed},
          {"views", plan.views},
          {"dim", plan.dim},
          {"dtype", NameOf(plan.dtype)},
          {"shard_rows", plan.shard_rows}};
}

EmbeddingPlan PlanFrom(const JsonObject& root) {
  if (root.String("format") != kFormat) root.Fail("format", fmt::format("is not \"{}\"", kFormat));
  if (root.Unsigned("version") != kVersion)
    root.Fail("version", fmt::format("is not {}: written by another version of graticule", kVersion));
  EmbeddingPlan plan;
  plan.tower_sha256 = root.Sha256("tower_sha256");
  plan.output = root.String("output");
  plan.precision = root.String("precision");
  plan.dataset = root.String("dataset");
  plan.records_sha256 = root.Sha256("records_sha256");
  plan.augment = ParseAugment(root.Child("preprocessing"));
  plan.seed = root.Unsigned("seed");
  plan.views = static_cast<int64_t>(root.Unsigned("views"));
  plan.dim = static_cast<int64_t>(root.Unsigned("dim"));
  if (plan.views < 1 || plan.views > 255) root.Fail("views", "is not 1..255");
  if (plan.dim < 1 || plan.dim > 65536) root.Fail("dim", "is not 1..65536");
  const std::string dtype = root.String("dtype");
  bool known = false;
  for (const SafeDType type : {SafeDType::kF16, SafeDType::kBF16, SafeDType::kF32}) {
    if (dtype != NameOf(type)) continue;
    plan.dtype = type;
    known = true;
  }
  if (!known) root.Fail("dtype", "is not F16, BF16 or F32");
  for (const json& rows : root.List("shard_rows")) {
    if (!rows.is_number_unsigned() || rows.get<uint64_t>() > UINT32_MAX)
      root.Fail("shard_rows", "is not a list of counts");
    plan.shard_rows.push_back(rows.get<int64_t>());
  }
  return plan;
}

}  // namespace

std::string EmbeddingPartName(int64_t shard) { return fmt::format("part-{:05}.emb", shard); }

std::string PlanJson(const EmbeddingPlan& plan) { return ToJson(plan).dump(1) + "\n"; }

std::string FirstDifference(const EmbeddingPlan& there, const EmbeddingPlan& here) {
  const json before = ToJson(there), now = ToJson(here);
  for (const auto& [key, value] : now.items()) {
    if (value == before[key]) continue;
    if (!value.is_object())
      return fmt::format("{} is {} there, {} here", key, before[key].dump(), value.dump());
    for (const auto& [inner, part] : value.items()) {
      const json was = before[key].value(inner, json());
      if (part != was) return fmt::format("{}.{} is {} there, {} here", key, inner, was.dump(), part.dump());
    }
  }
  return "";
}

EmbeddingPlan ParsePlan(std::string_view text, const std::string& where) {
  const json value = ParseJson(text, where, kEmbedAgain);
  return PlanFrom(JsonObject(value, "", where, kEmbedAgain));
}

EmbeddingManifest ParseEmbeddingManifest(std::string_view text, const std::string& where) {
  const json value = ParseJson(text, where, kEmbedAgain);
  const JsonObject root(value, "", where, kEmbedAgain);
  EmbeddingManifest manifest{.plan = PlanFrom(root), .parts = {}};
  for (size_t i = 0; i < root.List("parts").size(); ++i) {
    const JsonObject object = root.Item("parts", i);
    EmbeddingPart& part = manifest.parts.emplace_back();
    Parse(object, part);
    part.rows = static_cast<int64_t>(object.Unsigned("rows"));
    part.valid = static_cast<int64_t>(object.Unsigned("valid"));
    if (i < manifest.plan.shard_rows.size() && part.rows != manifest.plan.shard_rows[i])
      object.Fail("rows", fmt::format("is not {}", manifest.plan.shard_rows[i]));
  }
  if (manifest.parts.size() != manifest.plan.shard_rows.size())
    root.Fail("parts", fmt::format("is not a list of {}", manifest.plan.shard_rows.size()));
  return manifest;
}

EmbeddingManifest ReadEmbeddingManifest(const std::string& folder) {
  const std::string path = JoinPath(folder, kManifestName);
  if (!PosixFs().Exists(path)) {
    const bool begun = PosixFs().Exists(JoinPath(folder, kPlanName));
    throw Error(ErrorCode::kData,
                begun ? "the embedding store is not finished" : fmt::format("no {} here", kManifestName),
                folder,
                begun ? "Repeat the `graticule embed` command that began it: it goes on where it stopped."
                      : "Name the folder that `graticule embed` wrote.");
  }
  return ParseEmbeddingManifest(ReadFileToString(path, 64 << 20), path);
}

void WriteEmbeddingManifest(FileSystem& fs, const std::string& folder, const EmbeddingManifest& manifest) {
  json out = ToJson(manifest.plan);
  out["parts"] = json::array();
  for (const EmbeddingPart& part : manifest.parts) {
    json entry = graticule::ToJson(static_cast<const HashedFile&>(part));
    entry["rows"] = part.rows;
    entry["valid"] = part.valid;
    out["parts"].push_back(entry);
  }
  WriteFileAtomically(fs, JoinPath(folder, kManifestName), out.dump(1) + "\n");
}

}  // namespace graticule
