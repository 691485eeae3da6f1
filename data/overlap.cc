#include "data/overlap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "data/shard/record_index.h"
#include "data/shard/shard_reader.h"
#include "data/shard/string_hash.h"
#include "data/split/split_sidecar.h"
#include "geo/place_index.h"

namespace graticule {
namespace {

constexpr uint32_t kNobody = std::numeric_limits<uint32_t>::max();
constexpr size_t kKeyCount = 4;  // every criterion but the place

size_t At(OverlapBy by) { return static_cast<size_t>(by); }

bool AnyOf(const std::array<bool, kOverlapCount>& flags) {
  return std::find(flags.begin(), flags.end(), true) != flags.end();
}

// The chosen records of one folder. Position: among the chosen ones; row: in the whole dataset.
class Part {
 public:
  // in_order: ids will be asked for in ascending order, so those of one shard at a time are kept.
  Part(const OverlapPart& part, bool in_order)
      : in_order_(in_order),
        folder_(part.folder),
        manifest_(ReadManifest(part.folder)),
        index_(RecordIndex::Open(part.folder, manifest_)) {
    if (part.split.empty()) {
      rows_.resize(static_cast<size_t>(manifest_.n_records));
      std::iota(rows_.begin(), rows_.end(), 0u);
    } else {
      rows_ = SelectSplit(folder_, manifest_, {part.split});
    }
    if (rows_.empty()) {
      throw Error(ErrorCode::kUsage, fmt::format("no record is in split \"{}\"", part.split), folder_,
                  "`graticule data inspect` lists the splits with their counts.");
    }
  }

  size_t size() const { return rows_.size(); }
  uint32_t row(size_t position) const { return rows_[position]; }
  LatLon place(size_t position) const { return {index_.lat[rows_[position]], index_.lon[rows_[position]]}; }
  // 0: nothing to compare. Ids are hashed here and compared in full when a pair is told.
  uint64_t key(size_t by, size_t position) const { return keys_[by][position]; }

  void LoadKeys();
  std::string_view id(size_t position);

 private:
  const ShardEntry& shard(uint32_t row) const { return manifest_.shards[index_.shard[row]]; }

  bool in_order_;
  std::string folder_;
  Manifest manifest_;
  RecordIndex index_;
  std::vector<uint32_t> rows_;
  std::array<std::vector<uint64_t>, kKeyCount> keys_;
  std::map<uint16_t, StringPool> ids_;  // by shard
};

void Part::LoadKeys() {
  for (auto& keys : keys_) keys.assign(size(), 0);
  for (size_t at = 0; at < size();) {
    const ShardEntry& entry = shard(rows_[at]);
    const ShardReader reader(JoinPath(folder_, entry.file), &entry);
    const StringPool ids = reader.Pool("/id/str_data", "/id/str_off");
    std::vector<uint64_t> authors, sequences;
    if (reader.Has("/own/author_hash")) authors = reader.Column<uint64_t>("/own/author_hash");
    if (reader.Has("/seq/hash")) sequences = reader.Column<uint64_t>("/seq/hash");
    for (; at < size() && &shard(rows_[at]) == &entry; ++at) {
      const uint32_t row = rows_[at];
      const auto i = static_cast<size_t>(row - entry.first);
      if (i < ids.size() && !ids.at(i).empty()) keys_[At(OverlapBy::kId)][at] = Xxh64(ids.at(i));
      keys_[At(OverlapBy::kBytes)][at] =
          index_.len[row] == 0 ? 0 : uint64_t{index_.len[row]} << 32 | index_.crc32c[row];
      if (!authors.empty()) keys_[At(OverlapBy::kAuthor)][at] = authors[i];
      if (!sequences.empty()) keys_[At(OverlapBy::kSequence)][at] = sequences[i];
    }
  }
}

std::string_view Part::id(size_t position) {
  const uint32_t row = rows_[position];
  const ShardEntry& entry = shard(row);
  if (in_order_ && !ids_.contains(index_.shard[row])) ids_.clear();
  auto [found, fresh] = ids_.try_emplace(index_.shard[row]);
  if (fresh)
    found->second = ShardReader(JoinPath(folder_, entry.file), &entry).Pool("/id/str_data", "/id/str_off");
  const auto i = static_cast<size_t>(row - entry.first);
  return i < found->second.size() ? found->second.at(i) : std::string_view();
}

using Partners = std::vector<uint32_t>;  // by position in B; position in A or kNobody

// The first record of A with the same key.
Partners FirstWithKey(const Part& a, const Part& b, size_t by, OverlapCounts& counts) {
  std::vector<std::pair<uint64_t, uint32_t>> sorted;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a.key(by, i) != 0) sorted.emplace_back(a.key(by, i), static_cast<uint32_t>(i));
  }
  counts.known_a = static_cast<int64_t>(sorted.size());
  std::sort(sorted.begin(), sorted.end());
  Partners partners(b.size(), kNobody);
  for (size_t i = 0; i < b.size(); ++i) {
    const uint64_t key = b.key(by, i);
    if (key == 0) continue;
    ++counts.known_b;
    const auto found = std::lower_bound(sorted.begin(), sorted.end(), std::pair(key, uint32_t{0}));
    if (found != sorted.end() && found->first == key) partners[i] = found->second;
  }
  return partners;
}

Partners NearestPlaces(const Part& a, const Part& b, double km, OverlapResult& result) {
  std::vector<LatLon> places;
  std::vector<uint32_t> positions;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!IsValid(a.place(i))) continue;
    places.push_back(a.place(i));
    positions.push_back(static_cast<uint32_t>(i));
  }
  const PlaceIndex index(places);
  OverlapCounts& counts = result.by[At(OverlapBy::kPlace)];
  counts.known_a = static_cast<int64_t>(places.size());
  Partners partners(b.size(), kNobody);
  for (size_t i = 0; i < b.size(); ++i) {
    if (!IsValid(b.place(i))) continue;
    ++counts.known_b;
    const int64_t nearest = index.Nearest(b.place(i));
    if (nearest < 0) continue;
    const auto at = static_cast<size_t>(nearest);
    const double found_km = HaversineKm(places[at], b.place(i));
    if (found_km < km) partners[i] = positions[at];
    if (!(found_km >= result.min_km)) {
      result.min_km = found_km;
      result.nearest_a = a.row(positions[at]);
      result.nearest_b = b.row(i);
    }
  }
  return partners;
}

OverlapPair Compare(Part& a, size_t at_a, Part& b, size_t at_b, double km) {
  OverlapPair pair{.record_a = a.row(at_a),
                   .record_b = b.row(at_b),
                   .id_a = std::string(a.id(at_a)),
                   .id_b = std::string(b.id(at_b)),
                   .place_a = a.place(at_a),
                   .place_b = b.place(at_b)};
  for (size_t by = 0; by < kKeyCount; ++by)
    pair.shared[by] = a.key(by, at_a) != 0 && a.key(by, at_a) == b.key(by, at_b);
  pair.shared[At(OverlapBy::kId)] = pair.shared[At(OverlapBy::kId)] && pair.id_a == pair.id_b;
  pair.km = IsValid(pair.place_a) && IsValid(pair.place_b) ? HaversineKm(pair.place_a, pair.place_b)
                                                           : std::numeric_limits<double>::quiet_NaN();
  pair.shared[At(OverlapBy::kPlace)] = pair.km < km;
  return pair;
}

void CheckDistinct(const OverlapPart& a, const OverlapPart& b) {
  if (ReadManifest(a.folder).sha256 != ReadManifest(b.folder).sha256) return;
  if (!a.split.empty() && !b.split.empty() && a.split != b.split) return;
  throw Error(ErrorCode::kUsage,
              "both parts are the same dataset, and their splits are not two different ones", a.folder,
              "Name two splits: --split-a train --split-b val.");
}

}  // namespace

OverlapResult FindOverlap(const OverlapPart& part_a, const OverlapPart& part_b, double km,
                          const std::function<void(const OverlapPair&)>& each) {
  CheckDistinct(part_a, part_b);
  Part a(part_a, false), b(part_b, true);
  OverlapResult result;
  result.records_a = static_cast<int64_t>(a.size());
  result.records_b = static_cast<int64_t>(b.size());
  std::array<Partners, kOverlapCount> partners;
  // The tree of places is the largest piece of memory and gone before the keys are read.
  partners[At(OverlapBy::kPlace)] = NearestPlaces(a, b, km, result);
  a.LoadKeys();
  b.LoadKeys();
  for (size_t by = 0; by < kKeyCount; ++by) partners[by] = FirstWithKey(a, b, by, result.by[by]);
  for (size_t i = 0; i < b.size(); ++i) {
    std::array<uint32_t, kOverlapCount> others{};
    for (size_t by = 0; by < kOverlapCount; ++by) others[by] = partners[by][i];
    std::sort(others.begin(), others.end());
    const auto end = std::unique(others.begin(), others.end());
    std::array<bool, kOverlapCount> shared{};
    for (auto other = others.begin(); other != end && *other != kNobody; ++other) {
      const OverlapPair pair = Compare(a, *other, b, i, km);
      if (!AnyOf(pair.shared)) continue;  // two ids with the same hash
      for (size_t by = 0; by < kOverlapCount; ++by) shared[by] = shared[by] || pair.shared[by];
      ++result.pairs;
      each(pair);
    }
    for (size_t by = 0; by < kOverlapCount; ++by) result.by[by].shared += shared[by];
    result.any += AnyOf(shared);
  }
  return result;
}

}  // namespace graticule
