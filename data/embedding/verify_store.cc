#include "data/embedding/verify_store.h"

#include <fmt/format.h>

#include "base/error.h"
#include "data/dataset.h"
#include "data/embedding/embedding_part.h"

namespace graticule {
namespace {

constexpr char kAgain[] = "Remove the part and repeat the `graticule embed` that made it.";

// Every row, valid or not: all pages are read.
void CheckRows(const std::string& path, const EmbeddingPlan& plan, int64_t shard,
               const EmbeddingPart& entry) {
  const EmbeddingPartReader part(path, plan, shard);
  for (int64_t row = 0; row < entry.rows; ++row) {
    try {
      part.Check(row, row);
    } catch (const BadRecord& bad) {
      throw Error(ErrorCode::kData, bad.reason, path);
    }
  }
  if (part.valid_rows() == entry.valid) return;
  throw Error(ErrorCode::kData,
              fmt::format("{} rows are valid, the manifest says {}", part.valid_rows(), entry.valid), path);
}

}  // namespace

bool IsEmbeddingStore(const std::string& folder) {
  if (PosixFs().Exists(JoinPath(folder, kPlanName))) return true;
  const std::string path = JoinPath(folder, kManifestName);
  if (!PosixFs().Exists(path)) return false;
  return ReadFileToString(path, 64 << 20).find("\"graticule-embeddings\"") != std::string::npos;
}

StoreCheck VerifyStore(const std::string& folder, bool hashes,
                       const std::function<void(int64_t done, int64_t total)>& progress) {
  const EmbeddingManifest manifest = ReadEmbeddingManifest(folder);
  StoreCheck check;
  for (const EmbeddingPart& entry : manifest.parts) {
    const int64_t shard = check.parts++;
    check.rows += entry.rows;
    check.valid += entry.valid;
    check.bytes += entry.size;
    const std::string expected = EmbeddingPartName(shard);
    try {
      CheckSize(folder, entry);
      if (hashes) CheckHash(folder, entry);
      if (entry.file != expected)
        throw Error(ErrorCode::kData, fmt::format("part {} is called {}", shard, entry.file), folder);
      CheckRows(JoinPath(folder, entry.file), manifest.plan, shard, entry);
    } catch (const Error& error) {
      check.problems.emplace_back(Error(error.code(), error.message(), error.where(), kAgain).what());
    }
    if (progress) progress(check.parts, static_cast<int64_t>(manifest.parts.size()));
  }
  return check;
}

}  // namespace graticule
