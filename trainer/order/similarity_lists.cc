#include "trainer/order/similarity_lists.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "base/error.h"
#include "geo/place_neighbours.h"

namespace graticule {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void CheckFinite(const at::Tensor& rows_ND, const char* what) {
  const at::Tensor good_N = at::isfinite(rows_ND).all(1);
  const int64_t bad = rows_ND.size(0) - good_N.sum().item<int64_t>();
  if (bad == 0) return;
  throw Error(ErrorCode::kNumerics, fmt::format("{} of {} {} are not finite", bad, rows_ND.size(0), what),
              "similarity lists");
}

struct Places {
  at::Tensor xyz_N3;     // fp64 unit vectors, the pole for what is none
  at::Tensor missing_N;  // bool
};

Places OnDevice(std::span<const LatLon> places, c10::Device device) {
  const auto n = static_cast<int64_t>(places.size());
  at::Tensor xyz_N3 = at::empty({n, 3}, at::kDouble), missing_N = at::empty({n}, at::kBool);
  for (int64_t i = 0; i < n; ++i) {
    const bool valid = IsValid(places[i]);
    const UnitVector v = valid ? ToUnitVector(places[i]) : UnitVector{0, 0, 1};
    double* row = xyz_N3.mutable_data_ptr<double>() + 3 * i;
    row[0] = v.x, row[1] = v.y, row[2] = v.z;
    missing_N.mutable_data_ptr<bool>()[i] = !valid;
  }
  return {xyz_N3.to(device), missing_N.to(device)};
}

// The best of one chunk of images so far: scores, -infinity where there is none, and rows.
struct Best {
  at::Tensor score_RK, row_RK;
};

void Merge(Best& best, const at::Tensor& score_RT, int64_t first_column, int64_t k) {
  auto [score, column] = at::topk(score_RT, std::min(k, score_RT.size(1)), 1);
  at::Tensor row = column + first_column;
  if (best.score_RK.defined()) {
    score = at::cat({best.score_RK, score}, 1);
    row = at::cat({best.row_RK, row}, 1);
    auto [kept, at_column] = at::topk(score, std::min(k, score.size(1)), 1);
    row = row.gather(1, at_column);
    score = kept;
  }
  best = {score, row};
}

// lists: of the chunk's images, [R, K].
void CopyOut(const Best& best, int64_t k, uint32_t* lists_RK) {
  const at::Tensor score_RK = best.score_RK.to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor row_RK = best.row_RK.to(at::kCPU).contiguous();
  std::vector<std::pair<float, uint32_t>> list;
  for (int64_t i = 0; i < score_RK.size(0); ++i) {
    list.clear();
    for (int64_t j = 0; j < score_RK.size(1); ++j) {
      const float score = score_RK.const_data_ptr<float>()[i * score_RK.size(1) + j];
      const auto row = static_cast<uint32_t>(row_RK.const_data_ptr<int64_t>()[i * row_RK.size(1) + j]);
      if (score > -kInfinity) list.emplace_back(-score, row);
    }
    std::sort(list.begin(), list.end());
    for (size_t j = 0; j < list.size(); ++j) lists_RK[i * k + static_cast<int64_t>(j)] = list[j].second;
  }
}

}  // namespace

std::vector<uint32_t> TopSimilar(const at::Tensor& images_CD, std::span<const int64_t> records,
                                 const at::Tensor& places_ND, std::span<const LatLon> places,
                                 const SimilaritySearch& search) {
  const int64_t count = std::ssize(records), n = places_ND.size(0), k = search.neighbours;
  GRATICULE_CHECK(images_CD.size(0) == count && images_CD.size(1) == places_ND.size(1));
  GRATICULE_CHECK(std::ssize(places) == n && n < kNoNeighbour, "rows are u32");
  GRATICULE_CHECK(k >= 1 && search.chunk >= 1 && search.tile >= 1 && search.min_km >= 0);
  const at::NoGradGuard no_grad;
  CheckFinite(images_CD, "images");
  CheckFinite(places_ND, "places");
  const Places where = OnDevice(places, places_ND.device());
  at::Tensor own_C = at::empty({count}, at::kLong);
  std::copy(records.begin(), records.end(), own_C.mutable_data_ptr<int64_t>());
  own_C = own_C.to(places_ND.device());
  const double near = std::min(search.min_km / kEvaluationRadiusKm, std::numbers::pi);
  std::vector<uint32_t> lists_CK(static_cast<size_t>(count * k), kNoNeighbour);
  for (int64_t row = 0; row < count; row += search.chunk) {
    const int64_t rows = std::min(search.chunk, count - row);
    const at::Tensor own_R = own_C.narrow(0, row, rows), own_R1 = own_R.unsqueeze(1);
    const at::Tensor image_RD = images_CD.narrow(0, row, rows), xyz_R3 = where.xyz_N3.index_select(0, own_R);
    const at::Tensor missing_R1 = where.missing_N.index_select(0, own_R).unsqueeze(1);
    Best best;
    for (int64_t column = 0; column < n; column += search.tile) {
      const int64_t columns = std::min(search.tile, n - column);
      at::Tensor left_out_RT = missing_R1.logical_or(where.missing_N.narrow(0, column, columns));
      left_out_RT.logical_or_(own_R1 == at::arange(column, column + columns, own_R1.options()));
      if (near > 0) {
        const at::Tensor cosine_RT = at::matmul(xyz_R3, where.xyz_N3.narrow(0, column, columns).t());
        left_out_RT.logical_or_(cosine_RT > std::cos(near));
      }
      at::Tensor score_RT = at::matmul(image_RD, places_ND.narrow(0, column, columns).t()).to(at::kFloat);
      Merge(best, score_RT.masked_fill_(left_out_RT, -kInfinity), column, k);
    }
    CopyOut(best, k, lists_CK.data() + row * k);
  }
  return lists_CK;
}

}  // namespace graticule
