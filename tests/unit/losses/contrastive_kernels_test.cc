// The bodies of the CUDA kernels, run by threads of the CPU and compared with plain fp64 loops.
#include "losses/contrastive/contrastive_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "losses/contrastive/fused_sums.h"
#include "losses/contrastive/leave_out.h"
#include "tests/gpu/host_kernels.h"

namespace graticule {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

const Slopes kSlopes[] = {{1, -1}, {1.5f, 0.5f}, {3, 2}, {1, 0}};

// log sum e^(slope l) over values that are no -inf.
double LogSumOf(const std::vector<double>& values, double slope) {
  double most = -kInf, sum = 0;
  for (const double l : values) most = std::max(most, l);
  if (most == -kInf) return -kInf;
  for (const double l : values)
    if (l != -kInf) sum += std::exp(slope * (l - most));
  return slope * most + std::log(sum);
}

std::vector<double> Line(const at::Tensor& logits, int64_t dim, int64_t i) {
  const at::Tensor line = logits.select(1 - dim, i).to(at::kDouble).contiguous();
  return {line.const_data_ptr<double>(), line.const_data_ptr<double>() + line.numel()};
}

// Logits up to +-`reach`, a share of them -inf, and a row and a column without any; a strip of a wider
// matrix.
at::Tensor Logits(int64_t rows, int64_t columns, double reach) {
  at::manual_seed(rows * 1000 + columns);
  at::Tensor wide = (at::rand({rows, columns + 3}) * 2 - 1) * reach;
  wide.masked_fill_(at::rand(wide.sizes()) < 0.1, -kInf);
  if (rows > 1) wide.select(0, rows / 2).fill_(-kInf);
  if (columns > 1) wide.select(1, columns / 2 + 1).fill_(-kInf);
  return wide.narrow(1, 1, columns);
}

void ExpectSums(const at::Tensor& logits, int64_t dim, Slopes slopes, const HostKernels& kernels) {
  const ServedBy served(kernels);
  const at::Tensor sums = FusedLogSums(logits, dim, slopes);
  ASSERT_EQ(sums.size(0), logits.size(1 - dim));
  for (int64_t i = 0; i < sums.size(0); ++i) {
    const std::vector<double> line = Line(logits, dim, i);
    for (int64_t k = 0; k < 2; ++k) {
      const double slope = k == 1 && slopes.flat >= 0 ? slopes.flat : slopes.steep;
      const double expected = LogSumOf(line, slope), found = sums[i][k].item<double>();
      if (expected == -kInf) {
        EXPECT_EQ(found, expected) << i;
      } else {
        EXPECT_NEAR(found, expected, 3e-7 * (1 + std::abs(expected))) << i << " of dim " << dim;
      }
    }
  }
}

TEST(ContrastiveKernels, SumRowsAndColumnsOfAnySize) {
  const HostKernels alone(1, 32), several(3, 96), many(8, 64);
  for (const Slopes slopes : kSlopes)
    for (const double reach : {0.1, 40.0, 3000.0})
      for (const auto& [rows, columns] : {std::pair{1, 1}, {2, 7}, {5, 33}, {37, 65}, {70, 131}}) {
        const at::Tensor logits = Logits(rows, columns, reach);
        for (const HostKernels* kernels : {&alone, &several, &many})
          for (const int64_t dim : {0, 1}) ExpectSums(logits, dim, slopes, *kernels);
      }
}

TEST(ContrastiveKernels, LongLinesLoseNothing) {
  const at::Tensor line = at::full({3'000'001}, -0.3f);
  line[7] = 0;
  ExpectSums(line.view({1, -1}), 1, {2, 1}, HostKernels(1, 32));
  ExpectSums(line.view({-1, 1}), 0, {2, 1}, HostKernels(1, 32));
}

TEST(ContrastiveKernels, NanStaysAndNothingIsMinusInfinity) {
  const HostKernels kernels(3, 64);
  const ServedBy served(kernels);
  at::Tensor logits = at::zeros({4, 40});
  logits[2][5] = std::nan("");
  for (const int64_t dim : {0, 1}) {
    const at::Tensor is_nan = FusedLogSums(logits, dim, {2, 1}).isnan().select(1, 0);
    EXPECT_EQ(is_nan.sum().item<int64_t>(), 1);
    EXPECT_TRUE(is_nan[dim == 1 ? 2 : 5].item<bool>());
    EXPECT_TRUE(FusedLogSums(at::full({3, 3}, std::nan("")), dim, {2, 1}).isnan().all().item<bool>());
    EXPECT_TRUE((FusedLogSums(at::zeros({dim * 4, (1 - dim) * 4}), dim, {2, 1}) == -kInf).all().item<bool>());
  }
}

// A, E and kappa of lines in fp64, rounded to what the kernels get; +inf where a line has nothing.
at::Tensor Statistics(const at::Tensor& logits, int64_t dim, Slopes slopes, int64_t count) {
  at::Tensor statistics = at::empty({count, 3});
  for (int64_t i = 0; i < count; ++i) {
    const double a = LogSumOf(Line(logits, dim, i), slopes.steep),
                 e = LogSumOf(Line(logits, dim, i), slopes.flat);
    statistics[i][0] = a == -kInf ? kInf : a;
    statistics[i][1] = e == -kInf ? kInf : e;
    statistics[i][2] = 0.1 + 0.01 * static_cast<double>(i);
  }
  return statistics;
}

double GradientOf(double l, Slopes slopes, const at::Tensor& line) {
  if (l == -kInf) return 0;
  const double a = line[0].item<double>(), e = line[1].item<double>(), kappa = line[2].item<double>();
  if (slopes.flat < 0) return kappa * std::exp(slopes.steep * l - a);
  return kappa *
         (slopes.steep * std::exp(slopes.steep * l - a) - slopes.flat * std::exp(slopes.flat * l - e));
}

TEST(ContrastiveKernels, GradientsByRowsAndByTheFirstColumns) {
  const HostKernels alone(1, 32), several(5, 32);
  for (const Slopes slopes : kSlopes)
    for (const auto& [rows, columns, paired] :
         {std::tuple{1, 1, 0}, {3, 41, 0}, {9, 41, 41}, {9, 67, 20}, {2, 8195, 8193}}) {
      const at::Tensor logits = Logits(rows, columns, 60);
      const at::Tensor by_row = Statistics(logits, 1, slopes, rows);
      const at::Tensor by_column = paired > 0 ? Statistics(logits, 0, slopes, paired) : at::Tensor();
      for (const HostKernels* kernels : {&alone, &several}) {
        const at::Tensor wide = at::full({rows, columns + 2}, 5.0f);
        at::Tensor gradient = wide.narrow(1, 1, columns).copy_(logits);
        const ServedBy served(*kernels);
        FusedGradient(gradient, slopes, by_row, 0.75f, by_column, 0.25f);
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j) {
            const double l = logits[i][j].item<double>();
            double expected = 0.75 * GradientOf(l, slopes, by_row[i]);
            if (j < paired) expected += 0.25 * GradientOf(l, slopes, by_column[j]);
            // An exponent of some hundred is known to 1e-5.
            ASSERT_NEAR(gradient[i][j].item<double>(), expected, 5e-5 * std::abs(expected) + 2e-6)
                << i << ", " << j;
          }
        EXPECT_TRUE((wide.select(1, 0) == 5).all().item<bool>());
        EXPECT_TRUE((wide.select(1, columns + 1) == 5).all().item<bool>());
      }
    }
}

double DistanceKm(LatLon a, LatLon b) {
  const double radians = M_PI / 180, phi = (b.lat_deg - a.lat_deg) * radians,
               lambda = (b.lon_deg - a.lon_deg) * radians;
  const double h = std::pow(std::sin(phi / 2), 2) + std::cos(a.lat_deg * radians) *
                                                        std::cos(b.lat_deg * radians) *
                                                        std::pow(std::sin(lambda / 2), 2);
  return 2 * 6371.0088 * std::asin(std::sqrt(h));
}

// Rows are views of the first places, columns all of them with candidates behind: pair by pair.
TEST(ContrastiveKernels, LeaveOutWhatIsNearSharedOrNowhere) {
  constexpr int64_t kSamples = 45, kViews = 2, kRows = kSamples * kViews, kCandidates = 30;
  constexpr int64_t kColumns = kSamples + kCandidates;
  at::manual_seed(3);
  std::vector<LatLon> places;
  std::vector<PairKeys> keys;
  for (int64_t i = 0; i < kColumns; ++i) {
    places.push_back({at::rand({}).item<double>() * 3, at::rand({}).item<double>() * 3});
    keys.push_back(
        {static_cast<uint64_t>(i % 4), static_cast<uint64_t>(i % 9), static_cast<uint64_t>(i % 11)});
  }
  places[5].lat_deg = places[kSamples + 2].lon_deg = std::nan("");
  const std::vector<double> own_km(kCandidates, 90);
  const std::span all(places), samples = all.first(kSamples), candidates = all.subspan(kSamples);
  const std::span key(keys);
  for (const double km : {0.0, 50.0})
    for (const std::vector<std::string>& same :
         {std::vector<std::string>{}, {"sequence"}, {"place", "author", "sequence"}})
      for (const bool both_ways : {false, true}) {
        MaskConfig config;
        config.km = km, config.same = same;
        const PairPlaces batch = PairPlaces::Of(samples, key.first(kSamples), config, 0, at::kCPU);
        const PairPlaces rows = batch.Repeat(kViews);
        const PairPlaces columns = PairPlaces::Join(
            batch.Repeat(1), PairPlaces::Of(candidates, key.subspan(kSamples), config, -1, at::kCPU, own_km));
        const at::Tensor positive = at::arange(kSamples).repeat_interleave(kViews);
        const auto out = [&](int64_t row, int64_t c) {
          const auto i = static_cast<size_t>(row / kViews), j = static_cast<size_t>(c);
          if (row / kViews == c) return false;
          if (!IsValid(places[j]) || (both_ways && !IsValid(places[i]))) return true;
          const double limit_km = c < kSamples ? km : std::max(km, own_km[0]);
          // An item that is nowhere stands at 0, 0.
          const LatLon here = IsValid(places[i]) ? places[i] : LatLon{0, 0};
          if (limit_km > 0 && DistanceKm(here, places[j]) < limit_km) return true;
          for (const std::string& name : same) {
            const size_t k = name == "place" ? 0 : name == "author" ? 1 : 2;
            if (keys[i][k] != 0 && keys[i][k] == keys[j][k]) return true;
          }
          return false;
        };
        for (const int threads : {1, 7}) {
          const HostKernels kernels(threads, 32);
          const ServedBy served(kernels);
          at::Tensor logits = at::ones({kRows, kColumns});
          const LeftOutCounts counts = LeaveOut(logits, rows, columns, positive, both_ways);
          at::Tensor of_columns = at::zeros({kColumns}, at::kLong);
          for (int64_t i = 0; i < kRows; ++i) {
            int64_t of_row = 0;
            for (int64_t j = 0; j < kColumns; ++j) {
              ASSERT_EQ(logits[i][j].item<float>(), out(i, j) ? kNoLogit : 1)
                  << i << ", " << j << " km " << km;
              of_row += out(i, j);
              if (out(i, j)) of_columns[j] += 1;
            }
            EXPECT_EQ(counts.rows_R[i].item<int64_t>(), of_row) << i;
          }
          EXPECT_EQ(counts.columns_C.defined(), both_ways);
          EXPECT_TRUE(!both_ways || at::equal(counts.columns_C.to(at::kLong), of_columns));
        }
      }
}

// Other views of a sample are none of its negatives; without limits, keys or gaps nothing is left out.
TEST(ContrastiveKernels, LeaveOutOtherViewsOrNothing) {
  const HostKernels kernels(5, 32);
  const ServedBy served(kernels);
  const std::vector<LatLon> places(6, LatLon{1, 1});
  const PairPlaces batch = PairPlaces::Of(places, {}, {}, 0, at::kCPU), views = batch.Repeat(3);
  at::Tensor logits = at::ones({6, 18});
  LeaveOut(logits, batch, views);
  for (int64_t i = 0; i < 6; ++i)
    for (int64_t j = 0; j < 18; ++j) EXPECT_EQ(logits[i][j].item<float>(), j / 3 == i ? kNoLogit : 1);
  at::Tensor kept = at::ones({6, 6});
  EXPECT_FALSE(LeaveOut(kept, batch, batch, at::arange(6)).rows_R.defined());
  EXPECT_TRUE((kept == 1).all().item<bool>());
}

}  // namespace
}  // namespace graticule
