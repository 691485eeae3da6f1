#include "geo/variogram/variogram_estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <numbers>
#include <random>
#include <set>

#include "geo/s2_tokens.h"
#include "geo/variogram/variogram_fit.h"
#include "tests/unit/geo/geo_test_support.h"

namespace graticule {
namespace {

// Towns have values of their own and are alike within, so that a mean over anchors and one over pairs differ.
std::vector<double> TownValues(const std::vector<LatLon>& places) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> normal;
  std::vector<double> values;
  for (const LatLon p : places) {
    const double town = std::sin(std::round(p.lat_deg / 3) * 12.3 + std::round(p.lon_deg / 3) * 4.7);
    values.push_back(town + (0.05 + 0.5 * std::abs(town)) * normal(random));
  }
  return values;
}

// Bins and means by the definition: every pair by the haversine formula, edges 0, 0.1, 0.1 * 10^(k / 12).
struct ByHand {
  struct Bin {
    int64_t pairs = 0;
    double sum = 0, squares = 0, root = 0, km = 0;
    std::map<uint64_t, std::pair<int64_t, double>> touching;  // by S2 cell
  };
  std::map<int, Bin> bins;

  template <typename HalfSquare, typename Skip>
  ByHand(const std::vector<LatLon>& places, const HalfSquare& half_square, const Skip& skip) {
    std::vector<uint64_t> cell;
    for (const LatLon p : places) cell.push_back(S2CellIdOf(p, 4));
    for (size_t i = 0; i < places.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        const double km = HaversineKm(places[i], places[j]);
        if (km == 0 || skip(i, j)) continue;
        const int at = km <= 0.1 ? 0 : static_cast<int>(std::ceil(12 * std::log10(km / 0.1)));
        Bin& bin = bins[std::min(at, 64)];
        const double value = half_square(i, j);
        ++bin.pairs;
        bin.sum += value;
        bin.squares += value * value;
        bin.root += std::sqrt(std::sqrt(2 * value));
        bin.km += km;
        for (const uint64_t c : std::set{cell[i], cell[j]}) {
          ++bin.touching[c].first;
          bin.touching[c].second += value;
        }
      }
    }
  }
};

const VariogramBin* At(const VariogramEstimate& estimate, int bin) {
  const double high = bin == 64 ? std::numbers::pi * 6371 : 0.1 * std::pow(10, bin / 12.0);
  for (const VariogramBin& b : estimate.bins) {
    if (std::abs(b.high_km / high - 1) < 1e-9) return &b;
  }
  return nullptr;
}

std::string Text(const VariogramEstimate& estimate) {
  const VariogramCurve curve{.model = {}, .rho_km = 1, .bins = estimate.bins, .intervals = {}};
  return VariogramJson(curve, {{"replicates", estimate.replicates}});
}

TEST(VariogramEstimate, OfFewRecordsIsThatOfAllPairs) {
  const std::vector<LatLon> places = PhotoPlaces(700, 1);
  const NumberValues values(TownValues(places));
  const ByHand hand(
      places, [&](size_t i, size_t j) { return values.HalfSquare(i, j); },
      [](size_t, size_t) { return false; });
  const VariogramEstimate all = EstimateVariogram({places, &values, {}}, {});
  EXPECT_TRUE(all.all_pairs);
  ASSERT_EQ(all.bins.size(), hand.bins.size());
  for (const auto& [number, bin] : hand.bins) {
    const VariogramBin* found = At(all, number);
    ASSERT_NE(found, nullptr) << number;
    const auto n = static_cast<double>(bin.pairs);
    EXPECT_EQ(found->pairs, bin.pairs);
    EXPECT_NEAR(found->mean, bin.sum / n, 1e-10);
    EXPECT_NEAR(found->std, std::sqrt(std::max(0.0, bin.squares / n - bin.sum / n * bin.sum / n)), 1e-7);
    EXPECT_NEAR(found->lag_km, bin.km / n, 1e-6 * bin.km / n);
    EXPECT_NEAR(found->weight, n, 1e-6);
    // The jackknife over cells, each dropped with every pair that touches it.
    std::vector<double> left;
    for (const auto& [cell, touching] : bin.touching)
      if (bin.pairs > touching.first)
        left.push_back((bin.sum - touching.second) / static_cast<double>(bin.pairs - touching.first));
    if (left.size() < 3 || left.size() < bin.touching.size()) {
      EXPECT_TRUE(std::isnan(found->error)) << number;
      continue;
    }
    double mean = 0, squares = 0;
    for (const double x : left) mean += x / static_cast<double>(left.size());
    for (const double x : left) squares += (x - mean) * (x - mean);
    const auto groups = static_cast<double>(left.size());
    EXPECT_NEAR(found->error, std::sqrt((groups - 1) / groups * squares), 1e-9) << number;
  }
}

TEST(VariogramEstimate, RobustIsCressieAndHawkins) {
  const std::vector<LatLon> places = PhotoPlaces(400, 2);
  const NumberValues values(TownValues(places));
  const ByHand hand(
      places, [&](size_t i, size_t j) { return values.HalfSquare(i, j); },
      [](size_t, size_t) { return false; });
  const VariogramEstimate robust = EstimateVariogram({places, &values, {}}, {.robust = true});
  for (const auto& [number, bin] : hand.bins) {
    const auto n = static_cast<double>(bin.pairs);
    EXPECT_NEAR(At(robust, number)->mean, std::pow(bin.root / n, 4) / (0.457 + 0.494 / n) / 2, 1e-9);
  }
}

// Few pairs are asked for of a clustered set. Sparse bins are exact; the others agree with all pairs within
// the error of drawing, on both sides of the border between anchors and uniform pairs, wherever that is.
TEST(VariogramEstimate, SampledBinsAgreeWithAllPairs) {
  const std::vector<LatLon> places = PhotoPlaces(2500, 3);
  const NumberValues values(TownValues(places));
  const ByHand hand(
      places, [&](size_t i, size_t j) { return values.HalfSquare(i, j); },
      [](size_t, size_t) { return false; });
  for (const double near_km : {500.0, 50.0, 5000.0}) {
    const EstimateOptions options{.pairs = 6000, .near_km = near_km, .seed = 4, .threads = 2};
    const VariogramEstimate some = EstimateVariogram({places, &values, {}}, options);
    EXPECT_FALSE(some.all_pairs);
    int exact = 0, drawn = 0;
    for (const auto& [number, bin] : hand.bins) {
      const VariogramBin* found = At(some, number);
      ASSERT_NE(found, nullptr) << number;
      const auto n = static_cast<double>(bin.pairs);
      const double truth = bin.sum / n, spread = std::sqrt(std::max(0.0, bin.squares / n - truth * truth));
      if (found->high_km <= near_km && bin.pairs <= 2 * options.pairs) {
        ++exact;
        EXPECT_EQ(found->pairs, bin.pairs);
        EXPECT_NEAR(found->mean, truth, 1e-10);
        continue;
      }
      ++drawn;
      // Uniform pairs end before a rare bin is full.
      EXPECT_GE(found->pairs, found->high_km <= near_km ? options.pairs : options.pairs / 6) << number;
      EXPECT_NEAR(found->mean, truth, 4.5 * spread / std::sqrt(found->weight))
          << number << " near " << near_km;
      EXPECT_NEAR(found->std, spread, 0.25 * spread) << number;
    }
    EXPECT_GT(exact, 5);
    EXPECT_GT(drawn, 10);
  }
}

TEST(VariogramEstimate, IsTheSameForAnyNumberOfThreads) {
  const std::vector<LatLon> places = PhotoPlaces(1500, 5);
  const NumberValues values(TownValues(places));
  EstimateOptions options{.pairs = 2000, .seed = 6};
  const std::string one = Text(EstimateVariogram({places, &values, {}}, options));
  options.threads = 4;
  EXPECT_EQ(Text(EstimateVariogram({places, &values, {}}, options)), one);
  options.seed = 7;
  EXPECT_NE(Text(EstimateVariogram({places, &values, {}}, options)), one);
}

// Drives of twenty photographs that all look the same, a few metres apart, fake a nugget near zero; between
// drives there is no likeness at all.
TEST(VariogramEstimate, LeavesOutPairsOfOneSequence) {
  std::mt19937_64 random(8);
  std::normal_distribution<double> normal;
  std::vector<LatLon> places;
  std::vector<double> numbers;
  std::vector<uint64_t> drives;
  for (uint64_t drive = 0; drive < 100; ++drive) {
    const LatLon start{40 + 0.01 * normal(random), 7 + 0.01 * normal(random)};
    const double number = normal(random);
    for (int k = 0; k < 20; ++k) {
      places.push_back({start.lat_deg + 0.0002 * normal(random), start.lon_deg + 0.0002 * normal(random)});
      numbers.push_back(number + 0.01 * normal(random));
      drives.push_back(drive + 1);
    }
  }
  const NumberValues values(numbers);
  for (const int64_t pairs : {20'000, 1'000'000}) {  // drawn, and all pairs
    const EstimateOptions options{.pairs = pairs, .seed = 1, .threads = 2};
    const VariogramEstimate with = EstimateVariogram({places, &values, {}}, options),
                            without = EstimateVariogram({places, &values, {drives}}, options);
    EXPECT_EQ(without.all_pairs, pairs > 20'000);
    EXPECT_LT(At(with, 0)->mean, 0.5);
    EXPECT_NEAR(At(without, 0)->mean, 1, 0.35);  // variance of the numbers, over the few drives that meet
    EXPECT_GT(At(without, 0)->mean, 2 * At(with, 0)->mean);
    EXPECT_NEAR(At(without, 12)->mean, 1, 0.15);
    const std::vector<uint64_t> unknown(places.size(), 0);
    EXPECT_EQ(Text(EstimateVariogram({places, &values, {unknown}}, options)), Text(with));
  }
}

// Rows of 16-bit and 32-bit numbers of any length, against fp64 on numbers that all three hold exactly.
TEST(PairValues, CosineOfEveryTypeIsThatOfDoubles) {
  constexpr int64_t kDim = 29;
  std::vector<float> rows;
  std::vector<uint16_t> halves, brains;
  std::mt19937 random(9);
  for (int k = 0; k < 2 * kDim; ++k) {
    const int significand = static_cast<int>(random() % 128) + 128,
              power = static_cast<int>(random() % 12) - 8;
    const float value =
        std::ldexp(static_cast<float>(significand), power - 7) * (random() % 2 == 0 ? 1.0f : -1.0f);
    rows.push_back(value);
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    brains.push_back(static_cast<uint16_t>(bits >> 16));
    // IEEE binary16: sign, exponent with bias 15, seven of ten bits of the significand.
    halves.push_back(
        static_cast<uint16_t>((value < 0 ? 0x8000 : 0) | (power + 15) << 10 | (significand & 127) << 3));
  }
  double ab = 0, aa = 0, bb = 0;
  for (int k = 0; k < kDim; ++k) {
    ab += double{rows[k]} * rows[kDim + k];
    aa += double{rows[k]} * rows[k];
    bb += double{rows[kDim + k]} * rows[kDim + k];
  }
  const auto bytes = [](const auto& v) {
    return std::span(reinterpret_cast<const uint8_t*>(v.data()), v.size() * sizeof v[0]);
  };
  for (const auto& [span, type] : {std::pair{bytes(rows), SafeDType::kF32},
                                   {bytes(halves), SafeDType::kF16},
                                   {bytes(brains), SafeDType::kBF16}}) {
    const VectorValues values(span, kDim, type);
    EXPECT_EQ(values.size(), 2);
    EXPECT_NEAR(values.HalfSquare(0, 1), 1 - ab / std::sqrt(aa * bb), 1e-6) << NameOf(type);
    EXPECT_NEAR(values.HalfSquare(0, 0), 0, 1e-6);
  }
  EXPECT_EQ(LabelValues({3, 3, 4}).HalfSquare(0, 1), 0);
  EXPECT_EQ(LabelValues({3, 3, 4}).HalfSquare(1, 2), 1);
  EXPECT_EQ(NumberValues({3, 7}).HalfSquare(0, 1), 8);
}

// Rows of unit length whose components are Gaussian fields with covariance 0.8 exp(-h / 150 km) and a nugget
// of 0.2, drawn by Cholesky's factor over 1,100 clustered places: gamma = 0.2 + 0.8 (1 - exp(-h / 150 km)).
struct GaussianField {
  static constexpr int kRecords = 1100, kDim = 48;
  std::vector<LatLon> places;
  std::vector<float> rows;

  explicit GaussianField(uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    const std::vector<LatLon> towns = RandomPlaces(60, seed + 1);
    for (int i = 0; i < kRecords; ++i) {
      const LatLon town = towns[random() % towns.size()];
      const double lat = std::clamp(town.lat_deg + 1.5 * normal(random), -89.0, 89.0);
      places.push_back(
          Normalised({lat, town.lon_deg + 1.5 * normal(random) / std::cos(lat * std::numbers::pi / 180)}));
    }
    std::vector<double> factor(kRecords * kRecords);  // lower triangle
    for (int i = 0; i < kRecords; ++i) {
      for (int j = 0; j <= i; ++j) {
        double sum = 0.8 * std::exp(-HaversineKm(places[i], places[j]) / 150) + (i == j ? 0.2 : 0);
        const double *a = &factor[i * kRecords], *b = &factor[j * kRecords];
        for (int k = 0; k < j; ++k) sum -= a[k] * b[k];
        factor[i * kRecords + j] = i == j ? std::sqrt(sum) : sum / b[j];
      }
    }
    rows.resize(kRecords * kDim);
    std::vector<double> white(kRecords);
    for (int d = 0; d < kDim; ++d) {
      for (double& w : white) w = normal(random);
      for (int i = 0; i < kRecords; ++i) {
        double value = 0;
        for (int k = 0; k <= i; ++k) value += factor[i * kRecords + k] * white[k];
        rows[i * kDim + d] = static_cast<float>(value);
      }
    }
  }
};

TEST(VariogramEstimate, IntervalsHoldTheTruthOfSimulatedFields) {
  const GaussianField field(21);
  const VectorValues values({reinterpret_cast<const uint8_t*>(field.rows.data()), field.rows.size() * 4},
                            GaussianField::kDim, SafeDType::kF32);
  const VariogramEstimate estimate =
      EstimateVariogram({field.places, &values, {}}, {.pairs = 4000, .threads = 2});
  const VariogramFit fit = FitVariogram(FitPoints(estimate.bins), VariogramShape::kExponential);
  const auto intervals = JackknifeIntervals(fit, estimate.bins, estimate.replicates);
  const std::pair<const char*, double> truths[] = {
      {"c0", 0.2}, {"c", 0.8}, {"a", 150}, {"rho", 150 * std::log(20)}};
  for (const auto& [name, truth] : truths) {
    EXPECT_LT(intervals.at(name).low, truth) << name;
    EXPECT_GT(intervals.at(name).high, truth) << name;
    EXPECT_LT(intervals.at(name).high - intervals.at(name).low, 0.6 * truth) << name << ": says nothing";
  }
  int within = 0, bins = 0;
  for (const VariogramBin& b : estimate.bins) {
    if (std::isnan(b.error) || b.pairs < 30) continue;
    ++bins;
    within += std::abs(b.mean - (0.2 + 0.8 * (1 - std::exp(-b.lag_km / 150)))) < 2.5 * b.error;
  }
  EXPECT_GT(bins, 20);
  EXPECT_GE(within, 0.85 * bins);
}

TEST(VariogramEstimate, DenseBinsAreEqualStepsOfAllPairs) {
  const std::vector<LatLon> places = RandomPlaces(200, 12);
  const NumberValues values(TownValues(places));
  const VariogramEstimate dense = EstimateDense({places, &values, {}}, {});
  std::map<int, std::pair<int64_t, double>> hand;
  for (size_t i = 0; i < places.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      auto& [n, sum] = hand[static_cast<int>(HaversineKm(places[i], places[j]) / 6.371)];
      ++n;
      sum += values.HalfSquare(i, j);
    }
  }
  ASSERT_EQ(dense.bins.size(), hand.size());
  size_t k = 0;
  for (const auto& [bin, sums] : hand) {
    EXPECT_NEAR(dense.bins[k].low_km, 6.371 * bin, 1e-9);
    EXPECT_EQ(dense.bins[k].pairs, sums.first);
    EXPECT_NEAR(dense.bins[k].mean, sums.second / static_cast<double>(sums.first), 1e-10);
    ++k;
  }
}

}  // namespace
}  // namespace graticule
