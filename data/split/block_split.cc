#include "data/split/block_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <unordered_map>
#include <unordered_set>

#include "base/rng.h"
#include "geo/place_index.h"

namespace graticule {
namespace {

// Separate hashes for the three choices, although they share the seed.
enum Choice : uint32_t { kRegions = 0, kSpots = 1, kValBlocks = 2 };

class Splitter {
 public:
  Splitter(std::span<const LatLon> places, std::span<const uint64_t> sequences,
           const BlockSplitOptions& options)
      : places_(places), sequences_(sequences), options_(options), label_(places.size(), kTrain) {
    for (size_t i = 0; i < places.size(); ++i) {
      if (!IsValid(places[i])) label_[i] = kNone;
    }
  }
  std::vector<uint8_t> Run();

 private:
  // Labels records that are still `kTrain`, block by block in the order of their hashes, until `target` are
  // labelled.
  int64_t TakeBlocks(Choice choice, double side_deg, int64_t target, uint8_t label);
  int64_t CountFar() const;
  void HoldOutRegions();
  void ClearAroundVal();
  void LabelByDistance();
  PlaceIndex IndexOf(uint8_t label, std::vector<LatLon>& places) const;

  std::span<const LatLon> places_;
  std::span<const uint64_t> sequences_;
  const BlockSplitOptions& options_;
  std::vector<uint8_t> label_;
};

int64_t Splitter::TakeBlocks(Choice choice, double side_deg, int64_t target, uint8_t label) {
  if (target <= 0) return 0;
  std::unordered_map<uint64_t, int64_t> sizes;
  for (size_t i = 0; i < places_.size(); ++i) {
    if (label_[i] == kTrain) ++sizes[BlockOf(places_[i], side_deg)];
  }
  std::vector<std::pair<uint64_t, uint64_t>> order;  // hash, block
  for (const auto& [block, count] : sizes) {
    Rng rng(options_.seed, {.index = block, .view = choice, .purpose = Purpose::kSplit});
    order.emplace_back(rng.NextU64(), block);
  }
  std::sort(order.begin(), order.end());
  std::unordered_set<uint64_t> taken;
  int64_t count = 0;
  for (const auto& [hash, block] : order) {
    if (count >= target) break;
    // A block that alone would overshoot the target by half is passed over: one metropolis must not be the
    // whole part.
    if (count + sizes[block] > target + target / 2) continue;
    taken.insert(block);
    count += sizes[block];
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    if (label_[i] == kTrain && taken.contains(BlockOf(places_[i], side_deg))) label_[i] = label;
  }
  return count;
}

PlaceIndex Splitter::IndexOf(uint8_t label, std::vector<LatLon>& places) const {
  for (size_t i = 0; i < places_.size(); ++i) {
    if (label_[i] == label) places.push_back(places_[i]);
  }
  return PlaceIndex(places);
}

int64_t Splitter::CountFar() const {
  std::vector<LatLon> train;
  const PlaceIndex index = IndexOf(kTrain, train);
  if (train.empty()) return 0;
  int64_t far = 0;
  for (size_t i = 0; i < places_.size(); ++i) {
    if (label_[i] == kFar)
      far += HaversineKm(places_[i], train[index.Nearest(places_[i])]) >= options_.far_km;
  }
  return far;
}

// The rim of a region lies near training images, so regions are taken until enough of their insides are far.
void Splitter::HoldOutRegions() {
  const auto total = static_cast<double>(places_.size()) * options_.hold_out;
  const auto wanted = static_cast<int64_t>(total * options_.far_share);
  const auto most = static_cast<int64_t>(total);
  const std::vector<uint8_t> before = label_;
  int64_t target = wanted;
  for (int round = 0; round < 5; ++round) {
    label_ = before;
    TakeBlocks(kRegions, options_.region_deg, target, kFar);
    const int64_t far = CountFar();
    if (far >= wanted * 9 / 10 || target >= most) return;
    target = std::min(most, far == 0 ? target * 2 : target * wanted / far + 1);
  }
}

void Splitter::ClearAroundVal() {
  std::vector<LatLon> val;
  const PlaceIndex index = IndexOf(kVal, val);
  if (val.empty()) return;
  std::unordered_set<uint64_t> val_sequences;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    if (label_[i] == kVal && sequences_[i] != 0) val_sequences.insert(sequences_[i]);
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    if (label_[i] != kTrain) continue;
    const bool same_sequence = !sequences_.empty() && val_sequences.contains(sequences_[i]);
    if (same_sequence || HaversineKm(places_[i], val[index.Nearest(places_[i])]) < options_.gap_km)
      label_[i] = kNone;
  }
}

void Splitter::LabelByDistance() {
  std::vector<LatLon> train;
  const PlaceIndex index = IndexOf(kTrain, train);
  if (train.empty()) {
    throw Error(ErrorCode::kData, "no training record is left", "",
                "Hold out less, or choose smaller blocks.");
  }
  for (size_t i = 0; i < places_.size(); ++i) {
    if (label_[i] != kNear && label_[i] != kFar) continue;
    label_[i] = HaversineKm(places_[i], train[index.Nearest(places_[i])]) < options_.far_km ? kNear : kFar;
  }
}

std::vector<uint8_t> Splitter::Run() {
  if (options_.hold_out > 0) {
    HoldOutRegions();
    const auto held = static_cast<int64_t>(std::count(label_.begin(), label_.end(), kFar));
    const auto total = static_cast<int64_t>(static_cast<double>(places_.size()) * options_.hold_out);
    TakeBlocks(kSpots, options_.spot_deg, total - held, kNear);
  }
  if (options_.val > 0) {
    TakeBlocks(kValBlocks, options_.val_deg,
               static_cast<int64_t>(static_cast<double>(places_.size()) * options_.val), kVal);
    ClearAroundVal();
  }
  LabelByDistance();
  return std::move(label_);
}

void CheckRange(const char* name, double value, double least, double greatest) {
  if (value >= least && value <= greatest) return;
  throw Error(ErrorCode::kUsage, fmt::format("{} is {}, expected {} to {}", name, value, least, greatest));
}

}  // namespace

uint64_t BlockOf(LatLon p, double side_deg) {
  const auto band = static_cast<int64_t>(std::floor((p.lat_deg + 90) / side_deg));
  const double middle_deg = std::min((static_cast<double>(band) + 0.5) * side_deg - 90, 90.0);
  const double around = 360 * std::cos(middle_deg * std::numbers::pi / 180) / side_deg;
  const auto pieces = std::max<int64_t>(1, std::llround(around));
  const auto piece = std::clamp<int64_t>(
      static_cast<int64_t>(std::floor((p.lon_deg + 180) / 360 * static_cast<double>(pieces))), 0, pieces - 1);
  return static_cast<uint64_t>(band) << 24 | static_cast<uint64_t>(piece);
}

SplitLabels MakeBlockSplit(std::span<const LatLon> places, std::span<const uint64_t> sequences,
                           const BlockSplitOptions& options) {
  GRATICULE_CHECK(sequences.empty() || sequences.size() == places.size());
  CheckRange("--hold-out", options.hold_out, 0, 0.9);
  CheckRange("--far-share", options.far_share, 0, 1);
  CheckRange("--val", options.val, 0, 0.9);
  CheckRange("--region-deg", options.region_deg, 0.001, 90);
  CheckRange("--spot-deg", options.spot_deg, 0.001, 90);
  CheckRange("--val-deg", options.val_deg, 0.001, 90);
  CheckRange("--far-km", options.far_km, 0, 20000);
  CheckRange("--gap-km", options.gap_km, 0, 20000);
  SplitLabels out;
  out.names = {"train", "val", "near", "far", "none"};
  out.label = Splitter(places, sequences, options).Run();
  const nlohmann::json method = {{"kind", "blocks-v1"},
                                 {"seed", options.seed},
                                 {"hold_out", options.hold_out},
                                 {"far_share", options.far_share},
                                 {"region_deg", options.region_deg},
                                 {"spot_deg", options.spot_deg},
                                 {"far_km", options.far_km},
                                 {"val", options.val},
                                 {"val_deg", options.val_deg},
                                 {"gap_km", options.gap_km}};
  out.metadata["method"] = method.dump();
  return out;
}

}  // namespace graticule
