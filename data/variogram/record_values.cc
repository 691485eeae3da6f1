#include "data/variogram/record_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/rng.h"
#include "data/variogram/land_cover.h"

namespace graticule {
namespace {

constexpr uint32_t kRecordView = 3;  // of the random numbers; the estimator has 0 to 2
constexpr int64_t kTellEvery = 4096;

// Calls `take` for records that have a place, in random order where not all are wanted, until it has said
// true often enough.
template <typename Take>
RecordSample Choose(const Dataset& dataset, const SampleOptions& options, const Take& take) {
  std::vector<int64_t> order(static_cast<size_t>(dataset.size()));
  std::iota(order.begin(), order.end(), int64_t{0});
  const bool all = options.most <= 0 || options.most >= dataset.size();
  if (!all) {
    Rng random(options.seed, {.view = kRecordView, .purpose = Purpose::kVariogram});
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  }
  RecordSample sample;
  const auto wanted = static_cast<size_t>(all ? dataset.size() : options.most);
  for (size_t k = 0; k < order.size() && sample.records.size() < wanted; ++k) {
    if (options.progress && k % kTellEvery == 0)
      options.progress(std::ssize(sample.records), static_cast<int64_t>(wanted));
    const LatLon place = dataset.place(order[k]);
    if (!IsValid(place)) {
      ++sample.without_place;
    } else if (!take(order[k])) {
      ++sample.without_value;
    } else {
      sample.records.push_back(order[k]);
    }
  }
  if (sample.records.size() < 2) {
    throw Error(
        ErrorCode::kData,
        fmt::format("{} records have a place and a value ({} have no place, {} no value); expected many",
                    sample.records.size(), sample.without_place, sample.without_value),
        dataset.folders().front().path, "`graticule data inspect` lists what a dataset holds.");
  }
  std::sort(sample.records.begin(), sample.records.end());
  for (const int64_t record : sample.records) sample.places.push_back(dataset.place(record));
  return sample;
}

class StoredRows final : public PairValues {
 public:
  StoredRows(std::shared_ptr<const EmbeddingStore> store, std::vector<int64_t> records)
      : store_(std::move(store)), records_(std::move(records)) {}
  int64_t size() const override { return std::ssize(records_); }
  double HalfSquare(int64_t i, int64_t j) const override {
    const EmbeddingPlan& plan = store_->plan();
    static thread_local std::vector<uint8_t> rows;
    rows.resize(2 * plan.view_bytes());
    uint8_t* const other = rows.data() + plan.view_bytes();
    store_->Read(records_[static_cast<size_t>(i)], 0, 1, rows.data());
    store_->Read(records_[static_cast<size_t>(j)], 0, 1, other);
    return CosineDistance(rows.data(), other, plan.dim, plan.dtype);
  }

 private:
  std::shared_ptr<const EmbeddingStore> store_;
  std::vector<int64_t> records_;
};

}  // namespace

EstimateInput RecordSample::Input() const {
  EstimateInput input{.places = places, .values = values.get(), .keys = {}};
  for (const std::vector<uint64_t>& list : keys) input.keys.emplace_back(list);
  return input;
}

RecordSample SampleEmbeddings(std::shared_ptr<const EmbeddingStore> store, const SampleOptions& options) {
  const EmbeddingPlan& plan = store->plan();
  std::vector<uint8_t> row(plan.view_bytes());
  RecordSample sample = Choose(store->dataset(), options, [&](int64_t record) {
    try {
      store->Read(record, 0, 1, row.data());
    } catch (const BadRecord&) {
      return false;
    }
    // A row at no distance from itself has a direction; one of zeros, infinities or NaN has none.
    return std::abs(CosineDistance(row.data(), row.data(), plan.dim, plan.dtype)) < 0.01;
  });
  sample.values = std::make_unique<StoredRows>(std::move(store), sample.records);
  return sample;
}

RecordSample SampleLabels(const Dataset& dataset, const std::string& name, const SampleOptions& options) {
  std::optional<LandCover> cover;
  if (name == "land_cover") cover.emplace(dataset);
  const auto label = [&](int64_t record) -> std::optional<int32_t> {
    if (cover) return cover->Of(record);
    const RecordMeta meta = dataset.meta(record);
    if (name == "country")
      return meta.country_iso != 0 ? std::optional<int32_t>(meta.country_iso) : std::nullopt;
    GRATICULE_CHECK(name == "climate");
    const bool known = meta.climate != 0 && meta.climate != kMissingU8;
    return known ? std::optional<int32_t>(meta.climate) : std::nullopt;
  };
  RecordSample sample = Choose(dataset, options, [&](int64_t record) { return label(record).has_value(); });
  std::vector<int32_t> labels;
  for (const int64_t record : sample.records) labels.push_back(*label(record));
  sample.values = std::make_unique<LabelValues>(std::move(labels));
  return sample;
}

RecordSample SampleNumbers(const Dataset& dataset, const std::string& column, const SampleOptions& options) {
  const auto found = std::find(std::begin(kAuxColumns), std::end(kAuxColumns), column);
  GRATICULE_CHECK(found != std::end(kAuxColumns));
  const auto k = found - std::begin(kAuxColumns);
  RecordSample sample =
      Choose(dataset, options, [&](int64_t record) { return std::isfinite(dataset.meta(record).aux[k]); });
  std::vector<double> numbers;
  for (const int64_t record : sample.records) numbers.push_back(dataset.meta(record).aux[k]);
  sample.values = std::make_unique<NumberValues>(std::move(numbers));
  return sample;
}

int64_t ExcludeSame(const Dataset& dataset, const std::string& what, RecordSample& sample) {
  GRATICULE_CHECK(what == "sequence" || what == "author");
  std::vector<uint64_t>& keys = sample.keys.emplace_back();
  for (const int64_t record : sample.records) {
    const RecordKeys all = dataset.keys(record);
    keys.push_back(what == "author" ? all.author : all.sequence);
  }
  return std::ssize(keys) - std::count(keys.begin(), keys.end(), uint64_t{0});
}

}  // namespace graticule
