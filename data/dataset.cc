#include "data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <mutex>
#include <numeric>

#include "base/hash.h"
#include "base/log.h"
#include "base/rng.h"
#include "data/country.h"
#include "data/enrich/record_labels.h"
#include "data/shard/record_index.h"
#include "data/shard/record_keys.h"
#include "data/shard/shard_reader.h"
#include "data/split/split_sidecar.h"
#include "data/stage.h"

namespace graticule {
namespace {

// A shard that is opened, and its head hash checked, when it is first needed: its copy on the stage where
// there is a sound one, the source otherwise. A failed attempt is repeated.
class LazyShard {
 public:
  LazyShard(const std::string& folder, const ShardEntry& entry, const std::string& stage)
      : folder_(folder), entry_(entry), stage_(stage) {}
  const ShardReader& reader() {
    const ShardReader* copy = Copy();
    return copy != nullptr ? *copy : Source();
  }
  void ReadImage(const ImageSlot& slot, int64_t record, std::vector<uint8_t>& out) {
    if (const ShardReader* copy = Copy()) {
      try {
        return copy->ReadImage(slot, record, out);
      } catch (const BadRecord&) {  // whether a record is bad is the source's to say, on all nodes alike
      } catch (const Error&) {
      }
      if (!told_.exchange(true))
        LogWarn("{} is damaged; the source is read instead", JoinPath(stage_, entry_.sha256));
    }
    Source().ReadImage(slot, record, out);
  }
  std::string id(int64_t i) {
    std::call_once(ids_read_, [this] { ids_ = reader().Pool("/id/str_data", "/id/str_off"); });
    return i < static_cast<int64_t>(ids_.size()) ? std::string(ids_.at(i)) : std::string();
  }
  std::string text(int64_t i) {
    std::call_once(texts_read_, [this] {
      if (reader().Has("/text/off")) texts_ = reader().Pool("/text/data", "/text/off");
    });
    return i < static_cast<int64_t>(texts_.size()) ? std::string(texts_.at(i)) : std::string();
  }
  const ShardEntry& entry() const { return entry_; }

 private:
  const ShardReader& Source() {
    std::call_once(opened_, [this] {
      source_ = std::make_unique<ShardReader>(JoinPath(folder_, entry_.file), &entry_);
    });
    return *source_;
  }
  const ShardReader* Copy() {
    if (stage_.empty()) return nullptr;
    std::call_once(looked_, [this] {
      const ShardEntry staged = StagedEntry(entry_);
      try {
        copy_ = std::make_unique<ShardReader>(JoinPath(stage_, staged.file), &staged);
      } catch (const Error& error) {
        LogWarn("the source is read instead: {}", error.what());
      }
    });
    return copy_.get();
  }

  std::string folder_;
  ShardEntry entry_;
  std::string stage_;
  std::once_flag opened_, looked_, ids_read_, texts_read_;
  std::unique_ptr<ShardReader> source_, copy_;
  std::atomic<bool> told_{false};
  StringPool ids_, texts_;
};

// One folder of the dataset. `rows` maps selected record -> row of the index; empty when everything is
// selected.
struct Part {
  Manifest manifest;
  RecordIndex index;
  RecordLabels labels;
  std::deque<LazyShard> shards;
  std::vector<uint32_t> rows;
  std::vector<RecordKeys> keys;  // by row of the index; empty unless asked for
  std::string path;
  bool whole = true;
  std::vector<int64_t> firsts;  // row of the index where each shard begins
  int64_t number = 0;           // of the folder
  int64_t first = 0;            // index of its first selected record in the dataset
  int64_t size() const { return whole ? index.size : static_cast<int64_t>(rows.size()); }
  int64_t row(int64_t i) const { return whole ? i : rows[i]; }
};

bool HasValue(const Part& part, const std::string& column, int64_t row) {
  const RecordLabels& labels = part.labels;
  if (column == "climate") return labels.climate(row) != 0 && labels.climate(row) != kMissingU8;
  if (column == "month") return part.index.month[row] != 0;
  if (column == "drive_left") return labels.drive_left(row) != kMissingU8;
  if (column == "country" || column == "country_iso") return labels.country_iso(row) != 0;
  if (column == "place") return !std::isnan(part.index.lat[row]);
  for (int k = 0; k < kAuxColumnCount; ++k) {
    if (column == kAuxColumns[k]) return !std::isnan(labels.aux(row, k));
  }
  throw Error(ErrorCode::kData, fmt::format("\"{}\" is not a label column", column), "",
              "Label columns: climate, month, drive_left, country, place, elev_m, popden_km2, tavg_c, "
              "tdiff_c, prec_mm, "
              "precdiff_mm.");
}

class FolderDataset final : public Dataset {
 public:
  FolderDataset(const std::vector<std::string>& folders, const DatasetOptions& options) {
    if (folders.empty())
      throw Error(ErrorCode::kData, "no dataset folder is named", "", "Name at least one.");
    class Sha256 hash;
    for (const std::string& folder : folders) {
      Part& part = parts_.emplace_back();
      Open(folder, options, part);
      part.number = static_cast<int64_t>(parts_.size()) - 1;
      part.first = size_;
      size_ += part.size();
      hash.Update(part.manifest.sha256);
    }
    for (const std::string& label : options.split) hash.Update("/" + label);
    if (options.share < 1) hash.Update(fmt::format("share {}", options.share));
    sha256_ = hash.HexDigest();
    if (size_ == 0) {
      throw Error(ErrorCode::kData,
                  options.split.empty()
                      ? "no record has an image"
                      : fmt::format("no record is left of split \"{}\"", fmt::join(options.split, ", ")),
                  folders.front(), "`graticule data inspect` lists what a dataset holds.");
    }
  }

  int64_t size() const override { return size_; }
  LatLon place(int64_t record) const override {
    const auto [part, row] = Find(record);
    return {part->index.lat[row], part->index.lon[row]};
  }
  RecordMeta meta(int64_t record) const override;
  RecordKeys keys(int64_t record) const override {
    const auto [part, row] = Find(record);
    return part->keys.empty() ? RecordKeys{} : part->keys[row];
  }
  std::string id(int64_t record) const override {
    const auto [part, row] = Find(record);
    LazyShard& shard = part->shards[part->index.shard[row]];
    return shard.id(row - shard.entry().first);
  }
  std::string text(int64_t record) const override {
    const auto [part, row] = Find(record);
    LazyShard& shard = part->shards[part->index.shard[row]];
    return shard.text(row - shard.entry().first);
  }
  uint32_t image_bytes(int64_t record) const override {
    const auto [part, row] = Find(record);
    return part->index.len[row];
  }
  void ReadImage(int64_t record, std::vector<uint8_t>& out) const override {
    const auto [part, row] = Find(record);
    LazyShard& shard = part->shards[part->index.shard[row]];
    shard.ReadImage({part->index.off[row], part->index.len[row], part->index.crc32c[row]}, record, out);
  }
  std::string Locate(int64_t record) const override {
    const auto [part, row] = Find(record);
    const ShardEntry& shard = part->shards[part->index.shard[row]].entry();
    return fmt::format("{}[{}]", shard.file, row - shard.first);
  }
  RecordAddress Address(int64_t record) const override {
    const auto [part, row] = Find(record);
    const std::vector<int64_t>& firsts = part->firsts;
    // Shards are of one size but for the last: the guess is right, and a search would mispredict its
    // branches.
    const auto last = static_cast<int64_t>(firsts.size()) - 1;
    int64_t shard = last > 0 && firsts[1] > 0 ? std::min(row / firsts[1], last) : 0;
    while (firsts[static_cast<size_t>(shard)] > row) --shard;
    while (shard < last && firsts[static_cast<size_t>(shard) + 1] <= row) ++shard;
    return {part->number, shard, row - firsts[static_cast<size_t>(shard)]};
  }
  void ReadAhead(int64_t first, int64_t count) const override;
  void Prefetch(int64_t record) const override {
    const auto [part, row] = Find(record);
    const RecordIndex& index = part->index;
    const void* const columns[] = {&index.lat[row],         &index.lon[row],
                                   &index.climate[row],     &index.month[row],
                                   &index.width[row],       &index.height[row],
                                   &index.flags[row],       &index.drive_left[row],
                                   &index.country_iso[row], &index.aux[row * kAuxColumnCount]};
    for (const void* column : columns) __builtin_prefetch(column);
  }
  std::vector<DatasetFolder> folders() const override;
  std::string Sha256() const override { return sha256_; }
  double Coverage(const std::string& column) const override {
    int64_t with_value = 0;
    for (const Part& part : parts_) {
      for (int64_t i = 0; i < part.size(); ++i) with_value += HasValue(part, column, part.row(i));
    }
    return static_cast<double>(with_value) / static_cast<double>(size_);
  }

 private:
  static void Open(const std::string& folder, const DatasetOptions& options, Part& part) {
    part.path = folder;
    part.manifest = ReadManifest(folder);
    for (const ShardEntry& shard : part.manifest.shards) {
      CheckSize(folder, shard);
      part.shards.emplace_back(folder, shard, options.stage);
      part.firsts.push_back(shard.first);
    }
    part.index = RecordIndex::Open(folder, part.manifest);
    part.labels = RecordLabels::Open(folder, part.manifest, part.index);
    if (!options.split.empty()) {
      part.whole = false;
      part.rows = SelectSplit(folder, part.manifest, options.split);
    }
    const RecordIndex& index = part.index;
    if (!options.without_images && std::find(index.len.begin(), index.len.end(), 0u) != index.len.end())
      KeepRows(part, [&](uint32_t row) { return index.len[row] > 0; });
    if (options.share < 1) {
      const auto below = static_cast<uint64_t>(options.share * 0x1p64);
      KeepRows(part, [&](uint32_t row) {
        const auto word =
            Philox4x32({index.crc32c[row], index.len[row], 0, static_cast<uint32_t>(Purpose::kSplit)}, {});
        return (uint64_t{word[0]} << 32 | word[1]) < below;
      });
    }
    if (options.keys) ReadKeys(part);
  }

  static void ReadKeys(Part& part) {
    for (LazyShard& shard : part.shards) {
      const auto first = static_cast<size_t>(shard.entry().first), n = static_cast<size_t>(shard.entry().n);
      const auto keys = ReadRecordKeys(shard.reader(), part.index.country_iso.subspan(first, n));
      part.keys.insert(part.keys.end(), keys.begin(), keys.end());
    }
  }

  template <typename Wanted>
  static void KeepRows(Part& part, const Wanted& wanted) {
    if (part.whole) {
      part.rows.resize(static_cast<size_t>(part.index.size));
      std::iota(part.rows.begin(), part.rows.end(), 0u);
      part.whole = false;
    }
    std::erase_if(part.rows, [&](uint32_t row) { return !wanted(row); });
  }

  std::pair<Part*, int64_t> Find(int64_t record) const {
    GRATICULE_CHECK(record >= 0 && record < size_, "record out of range");
    if (parts_.size() == 1) return {&parts_.front(), parts_.front().row(record)};
    auto part = std::upper_bound(parts_.begin(), parts_.end(), record,
                                 [](int64_t value, const Part& p) { return value < p.first; });
    --part;
    return {&*part, part->row(record - part->first)};
  }

  // Shards open themselves behind a once_flag: logically immutable.
  mutable std::deque<Part> parts_;
  int64_t size_ = 0;
  std::string sha256_;
};

RecordMeta FolderDataset::meta(int64_t record) const {
  const auto [part, row] = Find(record);
  const RecordIndex& index = part->index;
  RecordMeta meta;
  meta.place = {index.lat[row], index.lon[row]};
  meta.width = index.width[row];
  meta.height = index.height[row];
  meta.flags = index.flags[row];
  meta.climate = part->labels.climate(row);
  meta.month = index.month[row];
  meta.drive_left = part->labels.drive_left(row);
  meta.country_iso = part->labels.country_iso(row);
  meta.country = Alpha2Of(meta.country_iso);
  for (int k = 0; k < kAuxColumnCount; ++k) meta.aux[k] = part->labels.aux(row, k);
  return meta;
}

void FolderDataset::ReadAhead(int64_t first, int64_t count) const {
  for (int64_t i = first; i < first + count;) {
    const auto [part, row] = Find(i);
    const uint16_t number = part->index.shard[row];
    const uint64_t begin = part->index.off[row];
    uint64_t end = begin, wanted = 0;
    for (; i < first + count; ++i) {
      const auto [same, next] = Find(i);
      if (same != part || same->index.shard[next] != number) break;
      end = part->index.off[next] + part->index.len[next];
      wanted += part->index.len[next];
    }
    // Of a thin selection its records come one by one more cheaply.
    if (end - begin <= 4 * wanted) part->shards[number].reader().ReadAhead(begin, end - begin);
  }
}

std::vector<DatasetFolder> FolderDataset::folders() const {
  std::vector<DatasetFolder> folders;
  for (const Part& part : parts_) {
    DatasetFolder& folder = folders.emplace_back();
    folder.path = part.path;
    folder.name = part.manifest.dataset;
    folder.records_sha256 = RecordsSha256(part.manifest);
    folder.first = part.first;
    folder.size = part.size();
    for (const ShardEntry& shard : part.manifest.shards) folder.shard_rows.push_back(shard.n);
  }
  return folders;
}

}  // namespace

std::shared_ptr<const Dataset> Dataset::Open(const std::vector<std::string>& folders,
                                             const DatasetOptions& options) {
  return std::make_shared<FolderDataset>(folders, options);
}

}  // namespace graticule
