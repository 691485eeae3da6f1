#include "data/loader/sample_order.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "data/dataset.h"
#include "data/loader/order.h"

namespace graticule {
namespace {

constexpr int64_t kPooledRecords = int64_t{1} << 18;

// A seed of its own for one of several permutations that a run's seed stands for.
uint64_t DerivedSeed(uint64_t seed, Purpose purpose, uint64_t pass, uint64_t what) {
  Rng rng(seed, {.epoch = pass, .index = what, .purpose = purpose});
  return rng.NextU64();
}

class SequentialOrder final : public SampleOrder {
 public:
  int64_t RecordAt(int64_t, int64_t position) const override { return position; }
  int64_t PassAt(int64_t epoch, int64_t) const override { return epoch; }
  std::string name() const override { return "sequential"; }
};

// A pass over all records, and where in it a position lies.
struct PassIndex {
  int64_t pass, index;
};

PassIndex PassOf(const OrderOptions& options, int64_t epoch, int64_t position) {
  if (!options.endless) return {epoch, position};
  const int64_t draw = epoch * options.epoch_samples + position;
  return {draw / options.records, draw % options.records};
}

class GlobalOrder final : public SampleOrder {
 public:
  explicit GlobalOrder(const OrderOptions& options) : options_(options) {}
  int64_t RecordAt(int64_t epoch, int64_t position) const override {
    const PassIndex at = PassOf(options_, epoch, position);
    return KeyedOrder(options_.records, options_.seed, static_cast<uint64_t>(at.pass)).At(at.index);
  }
  void RecordsAt(int64_t epoch, int64_t first, std::span<int64_t> records) const override {
    while (!records.empty()) {  // once, or once for each pass that they lie in
      const PassIndex at = PassOf(options_, epoch, first);
      const auto n = std::min(static_cast<int64_t>(records.size()), options_.records - at.index);
      KeyedOrder(options_.records, options_.seed, static_cast<uint64_t>(at.pass))
          .At(at.index, records.first(static_cast<size_t>(n)));
      records = records.subspan(static_cast<size_t>(n));
      first += n;
    }
  }
  int64_t PassAt(int64_t epoch, int64_t position) const override {
    return PassOf(options_, epoch, position).pass;
  }
  std::string name() const override { return kOrderName; }

 private:
  OrderOptions options_;
};

// Blocks are cut on the cyclic index (record - rotation) mod N, so that their borders move from pass to pass;
// the short one stays last.
class BlockedOrder final : public SampleOrder {
 public:
  explicit BlockedOrder(const OrderOptions& options) : options_(options), block_(options.block.records) {
    const int64_t blocks = (options.records + block_ - 1) / block_;
    pool_ = options.block.pool > 0 ? options.block.pool : (kPooledRecords + block_ - 1) / block_;
    pool_ = std::min(pool_, blocks) * block_;
  }
  int64_t RecordAt(int64_t epoch, int64_t position) const override {
    const PassIndex at = PassOf(options_, epoch, position);
    const int64_t pool = at.index / pool_, pooled = std::min(pool_, options_.records - pool * pool_);
    const uint64_t seed = SeedOf(at.pass, 2 + static_cast<uint64_t>(pool));
    const int64_t mixed = pool * pool_ + KeyedOrder(pooled, seed, 0).At(at.index % pool_);
    return (BlockAt(at.pass, mixed / block_) + mixed % block_) % options_.records;
  }
  int64_t PassAt(int64_t epoch, int64_t position) const override {
    return PassOf(options_, epoch, position).pass;
  }
  // When reading begins, the pool that is being mixed and one more; then a block for each that is used up.
  std::vector<RecordRange> ReadAhead(int64_t epoch, int64_t first, int64_t count, bool begin) const override {
    std::vector<RecordRange> ranges;
    const auto add = [&](int64_t position) {
      PassIndex at = PassOf(options_, epoch, position);
      if (at.index >= options_.records) at = {at.pass + 1, at.index - options_.records};
      const int64_t start = BlockAt(at.pass, at.index / block_) % options_.records;
      const int64_t size = std::min(block_, options_.records - at.index / block_ * block_);
      const int64_t before_end = std::min(size, options_.records - start);
      ranges.push_back({start, before_end});
      if (before_end < size) ranges.push_back({0, size - before_end});
    };
    // From a block's first position to the next one's: the last block of a pass is short.
    const auto next_block = [&](int64_t position) {
      const int64_t index = PassOf(options_, epoch, position).index % options_.records;
      return position + std::min(block_ - index % block_, options_.records - index);
    };
    const auto begins_block = [&](int64_t position) {
      return PassOf(options_, epoch, position).index % options_.records % block_ == 0;
    };
    const int64_t trigger = begins_block(first) ? first : next_block(first);
    // The tail that an epoch leaves out was the signal for the next one's last blocks.
    if (begin || (!options_.endless && first == 0)) {
      const int64_t pool_begin = first - PassOf(options_, epoch, first).index % pool_;
      for (int64_t position = pool_begin; position < trigger + pool_; position = next_block(position))
        add(position);
    }
    for (int64_t position = trigger; position < first + count; position = next_block(position))
      add(position + pool_);
    return ranges;
  }
  std::string name() const override { return fmt::format("block-v1:{}x{}", block_, pool_ / block_); }

 private:
  uint64_t SeedOf(int64_t pass, uint64_t what) const {
    return DerivedSeed(options_.seed, Purpose::kBlock, static_cast<uint64_t>(pass), what);
  }
  // First record of the block whose turn it is, before the cyclic index wraps.
  int64_t BlockAt(int64_t pass, int64_t turn) const {
    const int64_t n = options_.records, whole = n / block_;
    const int64_t block = turn < whole ? KeyedOrder(whole, SeedOf(pass, 0), 0).At(turn) : turn;
    return block * block_ + static_cast<int64_t>(SeedOf(pass, 1) % static_cast<uint64_t>(n));
  }

  OrderOptions options_;
  int64_t block_, pool_;  // records
};

class WeightedOrder final : public SampleOrder {
 public:
  explicit WeightedOrder(const OrderOptions& options) : options_(options) {}
  int64_t RecordAt(int64_t epoch, int64_t position) const override {
    Rng rng(options_.seed, {.epoch = static_cast<uint64_t>(epoch),
                            .index = static_cast<uint64_t>(position),
                            .purpose = Purpose::kSample});
    return options_.weights->Draw(rng);
  }
  int64_t PassAt(int64_t epoch, int64_t position) const override {
    return static_cast<int64_t>(DerivedSeed(options_.seed, Purpose::kDraw, static_cast<uint64_t>(epoch),
                                            static_cast<uint64_t>(position)) >>
                                32);
  }
  std::string name() const override { return "alias-v1:" + options_.weights->Sha256().substr(0, 16); }

 private:
  OrderOptions options_;
};

// Every block of kMixtureBlock positions holds the same number of each member, in an order of its own; the
// q-th slot of a member is the q-th record of its passes.
class MixtureOrder final : public SampleOrder {
 public:
  explicit MixtureOrder(const OrderOptions& options)
      : options_(options), slots_(MixtureSlots(options.mixture)), ends_(slots_.size()) {
    std::partial_sum(slots_.begin(), slots_.end(), ends_.begin());
  }
  int64_t RecordAt(int64_t epoch, int64_t position) const override {
    const auto [member, turn] = TurnAt(epoch, position);
    const int64_t n = options_.member_records[member];
    const uint64_t seed = DerivedSeed(options_.seed, Purpose::kMixture, 0, 1 + member);
    int64_t first = 0;
    for (size_t k = 0; k < member; ++k) first += options_.member_records[k];
    return first + KeyedOrder(n, seed, static_cast<uint64_t>(turn / n)).At(turn % n);
  }
  int64_t PassAt(int64_t epoch, int64_t position) const override {
    const auto [member, turn] = TurnAt(epoch, position);
    return turn / options_.member_records[member];
  }
  std::string name() const override { return fmt::format("mixture-v1:{}", fmt::join(slots_, "/")); }

 private:
  struct Turn {
    size_t member;
    int64_t turn;  // of that member's records, over all its passes
  };
  Turn TurnAt(int64_t epoch, int64_t position) const {
    const int64_t draw = epoch * options_.epoch_samples + position;
    const int64_t block = draw / kMixtureBlock;
    const uint64_t seed = DerivedSeed(options_.seed, Purpose::kMixture, 0, 0);
    const int64_t slot =
        KeyedOrder(kMixtureBlock, seed, static_cast<uint64_t>(block)).At(draw % kMixtureBlock);
    const auto member =
        static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), slot) - ends_.begin());
    return {member, block * slots_[member] + slot - (ends_[member] - slots_[member])};
  }

  OrderOptions options_;
  std::vector<int64_t> slots_, ends_;
};

class PlanOrder final : public SampleOrder {
 public:
  explicit PlanOrder(const OrderOptions& options) : plans_(options.plans) {}
  int64_t RecordAt(int64_t epoch, int64_t position) const override {
    return plans_->At(epoch)->at(static_cast<size_t>(position));
  }
  void RecordsAt(int64_t epoch, int64_t first, std::span<int64_t> records) const override {
    const auto plan = plans_->At(epoch);
    for (size_t i = 0; i < records.size(); ++i) records[i] = plan->at(static_cast<size_t>(first) + i);
  }
  int64_t PassAt(int64_t epoch, int64_t) const override { return epoch; }
  std::string name() const override { return plans_->options().name; }

 private:
  std::shared_ptr<const PlanFolder> plans_;
};

void CheckPlans(const OrderOptions& o) {
  const PlanFolderOptions& plans = o.plans->options();
  if (o.endless) {
    throw Error(ErrorCode::kUsage, fmt::format("epochs of {} samples, and a plan", o.epoch_samples), "data",
                "a plan covers whole epochs: set data.epoch_samples=0");
  }
  GRATICULE_CHECK(plans.records == o.records && plans.positions == o.epoch_samples);
}

void CheckMixture(const OrderOptions& o) {
  if (o.mixture.size() != o.member_records.size()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{} weights for {} datasets", o.mixture.size(), o.member_records.size()),
                "data.mixture", "give one weight per folder of data.train, in the same order");
  }
  GRATICULE_CHECK(std::accumulate(o.member_records.begin(), o.member_records.end(), int64_t{0}) == o.records);
  const std::vector<int64_t> slots = MixtureSlots(o.mixture);
  for (size_t k = 0; k < slots.size(); ++k) {
    if (slots[k] > 0 && o.member_records[k] == 0)
      throw Error(ErrorCode::kUsage, fmt::format("dataset {} has no records to draw", k), "data.mixture");
  }
}

}  // namespace

void SampleOrder::RecordsAt(int64_t epoch, int64_t first, std::span<int64_t> records) const {
  for (size_t i = 0; i < records.size(); ++i) records[i] = RecordAt(epoch, first + static_cast<int64_t>(i));
}

std::unique_ptr<const SampleOrder> SampleOrder::Create(const OrderOptions& options) {
  GRATICULE_CHECK(options.records >= 1);
  const int kinds = (options.weights != nullptr) + !options.mixture.empty() + (options.block.records > 0) +
                    (options.plans != nullptr);
  if (kinds > 1 || (kinds == 1 && !options.shuffle)) {
    throw Error(ErrorCode::kUsage, "more than one order is asked for", "data",
                "choose one of data.sampling, data.mixture, data.block and a plan");
  }
  if (!options.shuffle) return std::make_unique<SequentialOrder>();
  if (options.plans != nullptr) {
    CheckPlans(options);
    return std::make_unique<PlanOrder>(options);
  }
  if (options.weights != nullptr) {
    GRATICULE_CHECK(options.weights->size() == options.records);
    return std::make_unique<WeightedOrder>(options);
  }
  if (!options.mixture.empty()) {
    CheckMixture(options);
    return std::make_unique<MixtureOrder>(options);
  }
  if (options.block.records > 0) return std::make_unique<BlockedOrder>(options);
  return std::make_unique<GlobalOrder>(options);
}

std::vector<int64_t> MixtureSlots(const std::vector<double>& weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  GRATICULE_CHECK(sum > 0 && std::isfinite(sum), "weights of a mixture");
  std::vector<int64_t> slots;
  std::vector<std::pair<double, size_t>> remainders;
  int64_t left = kMixtureBlock;
  for (size_t k = 0; k < weights.size(); ++k) {
    const double share = weights[k] / sum * kMixtureBlock;
    slots.push_back(static_cast<int64_t>(std::floor(share)));
    remainders.emplace_back(std::floor(share) - share, k);
    left -= slots.back();
  }
  std::sort(remainders.begin(), remainders.end());  // the largest first, then the lower index
  for (int64_t i = 0; i < left; ++i) ++slots[remainders[static_cast<size_t>(i)].second];
  for (size_t k = 0; k < weights.size(); ++k) {
    if (weights[k] > 0 && slots[k] == 0) {
      throw Error(
          ErrorCode::kUsage,
          fmt::format("weight {} of {} is less than one position in {}", weights[k], sum, kMixtureBlock),
          "data.mixture", "leave the dataset out, or raise its weight");
    }
  }
  return slots;
}

double NeighbourShare(const Dataset& dataset) {
  int64_t pairs = 0, near = 0;
  for (int64_t record = 1; record < dataset.size(); ++record) {
    const LatLon a = dataset.place(record - 1), b = dataset.place(record);
    if (std::isnan(a.lat_deg) || std::isnan(b.lat_deg)) continue;
    ++pairs;
    near += HaversineKm(a, b) <= 25;
  }
  return pairs == 0 ? 0 : static_cast<double>(near) / static_cast<double>(pairs);
}

}  // namespace graticule
