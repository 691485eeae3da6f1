#include "data/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "data/enrich/enrich_sidecar.h"
#include "data/image/jpeg_decode.h"
#include "data/image/jpeg_probe.h"
#include "data/record.h"
#include "data/shard/dataset_statistics.h"
#include "data/shard/record_index.h"
#include "data/shard/shard_reader.h"
#include "data/split/split_sidecar.h"

namespace graticule {
namespace {

class Verifier {
 public:
  Verifier(const std::string& folder, const VerifyOptions& options)
      : folder_(folder), options_(options), manifest_(ReadManifest(folder)) {}

  VerifyResult Run() {
    Guard([&] { index_ = RecordIndex::Open(folder_, manifest_); });
    if (manifest_.split_sidecar) Guard([&] { ReadSplit(folder_, manifest_); });
    if (manifest_.enrich_sidecar) Guard([&] { EnrichSidecar::Open(folder_, manifest_); });
    bool whole = true;
    for (const ShardEntry& shard : manifest_.shards) {
      whole = Guard([&] { CheckShard(shard); }) && whole;
      ++result_.shards;
      done_ += shard.n;
    }
    if (whole) CheckStatistics();
    return std::move(result_);
  }

 private:
  void Note(std::string problem) {
    constexpr size_t kFirst = 50;
    if (!result_.problems.empty() && result_.problems.back() == problem) return;  // met again
    ++result_.problem_count;
    if (result_.problems.size() < kFirst) result_.problems.push_back(std::move(problem));
  }
  template <typename Call>
  bool Guard(Call call) {
    try {
      call();
      return true;
    } catch (const Error& error) {
      Note(error.what());
      return false;
    }
  }

  void CheckShard(const ShardEntry& entry) {
    CheckSize(folder_, entry);
    if (options_.hashes) Guard([&] { CheckHash(folder_, entry); });
    const ShardReader reader(JoinPath(folder_, entry.file), &entry);
    result_.bytes += entry.size;
    result_.records += entry.n;
    for (const auto& [name, info] : reader.hdf5().datasets()) {
      if (name != "/img/data") Guard([&, &column = name] { reader.ColumnBytes(column); });
    }
    CheckIndex(reader, entry);
    BoundingBox box;
    for (const RecordRow& row : ReadRows(reader)) {
      statistics_.Add(row);
      if (!row.IsMissing(Col::kLat)) box.Include(row.Float(Col::kLat), row.Float(Col::kLon));
    }
    if (box != entry.box && !(box.empty() && entry.box.empty()))
      Note(fmt::format("{}: its places do not span the manifest's bbox", entry.file));
    if (options_.images) CheckImages(reader, entry);
  }

  // Added up anew; of 64-bit ids and hashes the number alone, which earlier versions took for signed.
  void CheckStatistics() {
    const auto same = [](double a, double b) {
      return std::abs(a - b) <= 1e-9 * std::max({1.0, std::abs(a), std::abs(b)});
    };
    std::map<std::string, ColumnStats> found = statistics_.Columns();
    for (const auto& [path, said] : manifest_.stats) {
      const ColumnStats is = found[path];
      found.erase(path);
      const auto spec =
          std::find_if(Columns().begin(), Columns().end(),
                       [&path = path](const ColumnSpec& column) { return column.path == path; });
      const bool counted = spec != Columns().end() && spec->type == ColumnType::kU64;
      if (is.count == said.count && (counted || (same(is.mean, said.mean) && same(is.std, said.std) &&
                                                 same(is.min, said.min) && same(is.max, said.max))))
        continue;
      Note(fmt::format("{}: {} values with mean {}, {} to {}, but {} says {} with mean {}, {} to {}", path,
                       is.count, is.mean, is.min, is.max, kManifestName, said.count, said.mean, said.min,
                       said.max));
    }
    for (const auto& [path, is] : found) Note(fmt::format("{}: {} says nothing of it", path, kManifestName));
    if (!same(statistics_.ConsecutiveWithin25Km(), manifest_.consecutive_within_25km))
      Note(fmt::format("consecutive_within_25km is {}, {} says {}", statistics_.ConsecutiveWithin25Km(),
                       kManifestName, manifest_.consecutive_within_25km));
  }

  // The index repeats what the shard says; both were hashed, so a difference means that they do not belong
  // together.
  void CheckIndex(const ShardReader& reader, const ShardEntry& entry) {
    if (!index_) return;
    const std::vector<ImageSlot> slots = reader.Slots();
    const auto lat = reader.Column<double>("/geo/lat"), lon = reader.Column<double>("/geo/lon");
    const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    for (int64_t i = 0; i < entry.n; ++i) {
      const int64_t r = entry.first + i;
      if (index_->off[r] != slots[i].off || index_->len[r] != slots[i].len ||
          index_->crc32c[r] != slots[i].crc32c || !same(index_->lat[r], lat[i]) ||
          !same(index_->lon[r], lon[i])) {
        Note(fmt::format("{}[{}]: differs from {}", entry.file, i, kIndexName));
      }
    }
  }

  void CheckImages(const ShardReader& reader, const ShardEntry& entry) {
    const std::vector<ImageSlot> slots = reader.Slots();
    const auto width = reader.Column<uint16_t>("/img/width"), height = reader.Column<uint16_t>("/img/height");
    const auto flags = reader.Column<uint8_t>("/img/flags");
    std::vector<uint8_t> bytes;
    std::string why;
    for (int64_t i = 0; i < entry.n; ++i) {
      if (options_.progress && i % 1000 == 0) options_.progress(done_ + i, manifest_.n_records);
      if (slots[i].len == 0) continue;
      ++result_.images;
      try {
        reader.ReadImage(slots[i], i, bytes);
      } catch (const BadRecord& bad) {
        Note(fmt::format("{}[{}]: {}", entry.file, i, bad.reason));
        continue;
      }
      const std::optional<JpegHeader> info = ProbeJpeg(bytes, &why);
      if (!info) {
        Note(fmt::format("{}[{}]: {}", entry.file, i, why));
      } else if (info->width != width[i] || info->height != height[i]) {
        Note(fmt::format("{}[{}]: the image is {} x {}, its columns say {} x {}", entry.file, i, info->width,
                         info->height, width[i], height[i]));
      } else if ((flags[i] & kTruncated) != 0) {
        ++result_.truncated;
      } else if (options_.decode) {
        Guard([&] { Decode(bytes, fmt::format("{}[{}]", entry.file, i)); });
      }
    }
  }

  void Decode(const std::vector<uint8_t>& bytes, const std::string& where) {
    try {
      decoder_.Decode(bytes, {}, image_);
    } catch (const Error& error) {
      throw Error(error.code(), error.message(), where);
    }
  }

  std::string folder_;
  JpegDecoder decoder_;
  Image image_;
  const VerifyOptions& options_;
  Manifest manifest_;
  std::optional<RecordIndex> index_;
  DatasetStatistics statistics_;
  VerifyResult result_;
  int64_t done_ = 0;
};

}  // namespace

std::vector<std::string> MissingFiles(const std::string& folder, const Manifest& manifest) {
  std::vector<const HashedFile*> files = {&manifest.index};
  if (manifest.split_sidecar) files.push_back(&*manifest.split_sidecar);
  if (manifest.enrich_sidecar) files.push_back(&*manifest.enrich_sidecar);
  for (const ShardEntry& shard : manifest.shards) files.push_back(&shard);
  std::vector<std::string> problems;
  for (const HashedFile* file : files) {
    try {
      CheckSize(folder, *file);
    } catch (const Error& error) {
      problems.emplace_back(error.what());
    }
  }
  return problems;
}

VerifyResult VerifyDataset(const std::string& folder, const VerifyOptions& options) {
  return Verifier(folder, options).Run();
}

}  // namespace graticule
