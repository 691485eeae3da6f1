// The manifest of an embedding store: whose outputs its rows are (docs/EMBEDDINGS.md).
//
// A store is a folder beside or away from its dataset: manifest.json, and one part per shard of the dataset.
// The plan is everything that decides the numbers; two stores with equal plans hold equal rows, up to the
// arithmetic of the machine. plan.json is written first and the manifest last: a folder without the manifest
// is not finished, and goes on only under the same plan. Plain data; reading checks the schema and throws
// Error(kData) naming the key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/safetensors.h"
#include "data/image/augment_options.h"
#include "data/shard/manifest.h"

namespace graticule {

inline constexpr char kPlanName[] = "plan.json";

struct EmbeddingPlan {
  std::string tower_sha256;           // of names, shapes and fp32 values (TowerSha256)
  std::string output;                 // "image_embeds", "pooler_output", "mean_tokens"; raw, not normalised
  std::string precision = "fp32";     // of the forward pass
  std::string dataset;                // its name, for messages
  std::string records_sha256;         // RecordsSha256 of its manifest
  AugmentOptions augment;             // kind ten_crop: `views` crops; random: as many draws
  uint64_t seed = 0;                  // of the draws, keyed by (seed, draw, record)
  int64_t views = 1;                  // draws or crops per record
  int64_t dim = 0;                    // D
  SafeDType dtype = SafeDType::kF16;  // of the rows: kF16, kBF16 or kF32
  std::vector<int64_t> shard_rows;    // records of each shard, one part for each
  size_t view_bytes() const { return static_cast<size_t>(dim) * SizeOf(dtype); }
};

struct EmbeddingPart : HashedFile {
  int64_t rows = 0, valid = 0;
};

struct EmbeddingManifest {
  EmbeddingPlan plan;
  std::vector<EmbeddingPart> parts;  // one per shard
};

std::string PlanJson(const EmbeddingPlan& plan);  // equal plans give equal text
// "dtype is F16 there, F32 here"; empty for equal plans.
std::string FirstDifference(const EmbeddingPlan& there, const EmbeddingPlan& here);
EmbeddingPlan ParsePlan(std::string_view text, const std::string& where);
EmbeddingManifest ReadEmbeddingManifest(const std::string& folder);
// From text, for tests and fuzzing; `where` names it in errors.
EmbeddingManifest ParseEmbeddingManifest(std::string_view text, const std::string& where);
void WriteEmbeddingManifest(FileSystem& fs, const std::string& folder, const EmbeddingManifest& manifest);

// "part-00003.emb"
std::string EmbeddingPartName(int64_t shard);

}  // namespace graticule
