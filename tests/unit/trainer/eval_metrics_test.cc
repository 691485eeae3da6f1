#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include "base/error.h"
#include "trainer/eval/metrics.h"

namespace graticule {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kDegreeKm = 6371.0 * std::numbers::pi / 180;

EvalRow Row(int64_t record, LatLon truth, LatLon prediction, std::string country = "") {
  EvalRow row;
  row.record = record;
  row.id = "image" + std::to_string(record);
  row.truth = truth;
  row.prediction = prediction;
  row.country = std::move(country);
  return row;
}

// Distances along meridians and the equator are exact multiples of a degree: all figures can be worked out by
// hand.
TEST(Evaluation, AgreesWithFiguresWorkedOutByHand) {
  const std::vector<EvalRow> rows = {
      Row(0, {10, 20}, {10, 20}, "FR"),       // 0 km
      Row(1, {0, 179.9}, {0, -179.9}, "FJ"),  // 0.2 degrees over the antimeridian, 22.24 km
      Row(2, {90, 0}, {89, 77}, "FR"),        // 1 degree from the pole, 111.19 km
      Row(3, {90, 0}, {-90, 0}, "AQ"),        // half a great circle, 20015.09 km
      Row(4, {0, 0}, {0, 5}, ""),             // 5 degrees, 555.97 km
      Row(5, {kNaN, kNaN}, {0, 0}, "FR"),     // no place: in no denominator
  };
  const Evaluation e = Evaluate(rows, {.replicates = 0});
  EXPECT_EQ(e.records, 6);
  EXPECT_EQ(e.without_place, 1);
  EXPECT_EQ(e.without_country, 1);
  EXPECT_EQ(e.all.images, 5);
  EXPECT_EQ(e.all.within, (std::array<double, 5>{0.2, 0.4, 0.6, 0.8, 0.8}));
  EXPECT_NEAR(e.all.median_km, kDegreeKm, 1e-9);
  EXPECT_NEAR(e.all.mean_km, (0 + 0.2 + 1 + 180 + 5) * kDegreeKm / 5, 1e-9);
  const double score = 5000 *
                       (1 + std::exp(-0.2 * kDegreeKm / 1492.7) + std::exp(-kDegreeKm / 1492.7) +
                        std::exp(-180 * kDegreeKm / 1492.7) + std::exp(-5 * kDegreeKm / 1492.7)) /
                       5;
  EXPECT_NEAR(e.all.geoscore, score, 1e-9);
  ASSERT_EQ(e.by_country.size(), 3u);
  EXPECT_EQ(e.by_country.at("FR").images, 2);
  EXPECT_NEAR(e.by_country.at("FR").median_km, 0.5 * kDegreeKm, 1e-9);
  EXPECT_EQ(e.by_country.at("AQ").within[4], 0);
  EXPECT_TRUE(e.intervals_95.empty());
}

TEST(Evaluation, CountsOnlyErrorsStrictlyBelowAThreshold) {
  const double just_below = std::nextafter(200.0, 0.0);
  EXPECT_EQ(Summarise(std::vector<double>{200.0}).within, (std::array<double, 5>{0, 0, 0, 1, 1}));
  EXPECT_EQ(Summarise(std::vector<double>{just_below}).within, (std::array<double, 5>{0, 0, 1, 1, 1}));
  EXPECT_EQ(Summarise(std::vector<double>{1.0, 25.0, 750.0, 2500.0}).within,
            (std::array<double, 5>{0, 0.25, 0.5, 0.5, 0.75}));
}

TEST(Evaluation, TakesTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(Summarise(std::vector<double>{9, 1, 4, 2}).median_km, 3);
  EXPECT_EQ(Summarise(std::vector<double>{9, 1, 4}).median_km, 4);
  EXPECT_EQ(Summarise(std::vector<double>{7}).median_km, 7);
}

TEST(Evaluation, NamesItsFiguresAsConfigurationsDo) {
  const auto named = Summarise(std::vector<double>{0.5, 30, 30, 5000}).Named();
  EXPECT_EQ(named.at("acc_1"), 0.25);
  EXPECT_EQ(named.at("acc_25"), 0.25);
  EXPECT_EQ(named.at("acc_200"), 0.75);
  EXPECT_EQ(named.at("acc_750"), 0.75);
  EXPECT_EQ(named.at("acc_2500"), 0.75);
  EXPECT_EQ(named.at("median_km"), 30);
  EXPECT_EQ(named.size(), 8u);
}

TEST(Evaluation, HasNoFiguresForNothing) {
  const Evaluation e = Evaluate({});
  EXPECT_EQ(e.all.images, 0);
  EXPECT_TRUE(std::isnan(e.all.median_km));
  EXPECT_TRUE(std::isnan(e.all.within[0]));
  EXPECT_TRUE(e.intervals_95.empty());
}

TEST(Evaluation, RefusesAPredictionThatIsNoPlace) {
  for (const LatLon bad : {LatLon{kNaN, 0}, LatLon{91, 0}, LatLon{0, 1e9}}) {
    try {
      Evaluate(std::vector<EvalRow>{Row(17, {0, 0}, bad)});
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNumerics);
      EXPECT_NE(std::string(error.what()).find("17"), std::string::npos);
    }
  }
}

TEST(Bootstrap, HasTheWidthThatTheoryGives) {
  // 400 errors, 30 % below 25 km: the binomial standard error of the share is known.
  std::vector<double> errors;
  for (int i = 0; i < 400; ++i) errors.push_back(i < 120 ? 10.0 + i * 0.01 : 300.0 + i);
  const auto intervals = BootstrapIntervals(errors, {.replicates = 4000, .seed = 5});
  const double error = std::sqrt(0.3 * 0.7 / 400);
  EXPECT_NEAR(intervals.at("acc_25").low, 0.3 - 1.96 * error, 0.15 * error + 1.0 / 400);
  EXPECT_NEAR(intervals.at("acc_25").high, 0.3 + 1.96 * error, 0.15 * error + 1.0 / 400);
  double mean = 0, square = 0;
  for (double e : errors) mean += e / 400, square += e * e / 400;
  const double mean_error = std::sqrt((square - mean * mean) / 400);
  EXPECT_NEAR(intervals.at("mean_km").low, mean - 1.96 * mean_error, 0.15 * mean_error);
  EXPECT_NEAR(intervals.at("mean_km").high, mean + 1.96 * mean_error, 0.15 * mean_error);
  EXPECT_EQ(intervals.at("acc_1").low, 0);
  EXPECT_EQ(intervals.at("acc_1").high, 0);
}

TEST(Bootstrap, DependsOnTheSeedAndNotOnTheOrderOfImages) {
  std::mt19937_64 random(7);
  std::vector<double> errors;
  for (int i = 0; i < 300; ++i) errors.push_back(std::exponential_distribution<double>(1e-3)(random));
  const auto a = BootstrapIntervals(errors, {.replicates = 200, .seed = 1});
  std::shuffle(errors.begin(), errors.end(), random);
  const auto b = BootstrapIntervals(errors, {.replicates = 200, .seed = 1});
  const auto c = BootstrapIntervals(errors, {.replicates = 200, .seed = 2});
  EXPECT_EQ(a.at("mean_km").low, b.at("mean_km").low);
  EXPECT_EQ(a.at("median_km").high, b.at("median_km").high);
  EXPECT_NE(a.at("mean_km").low, c.at("mean_km").low);
}

}  // namespace
}  // namespace graticule
