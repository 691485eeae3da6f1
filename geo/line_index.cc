#include "geo/line_index.h"

#include <algorithm>
#include <nanoflann.hpp>

#include "geo/unit_cloud.h"

namespace graticule {
namespace {

constexpr double kRadiusKm = kEvaluationRadiusKm;

double Dot(UnitVector a, UnitVector b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
UnitVector Cross(UnitVector a, UnitVector b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
double Length(UnitVector v) { return std::sqrt(Dot(v, v)); }

// Angle between unit vectors; accurate for tiny angles, where the arc cosine is not.
double Angle(UnitVector a, UnitVector b) { return std::atan2(Length(Cross(a, b)), Dot(a, b)); }

// Angle from p to the arc a-b, which is much shorter than a quarter circle.
double AngleToArc(UnitVector p, UnitVector a, UnitVector b) {
  const UnitVector normal = Cross(a, b);
  const double length = Length(normal);
  if (length > 0 && Dot(Cross(normal, a), p) >= 0 && Dot(Cross(b, normal), p) >= 0) {
    return std::asin(std::min(1.0, std::abs(Dot(normal, p)) / length));
  }
  return std::min(Angle(p, a), Angle(p, b));
}

using KdTree = nanoflann::KDTreeSingleIndexAdaptor<nanoflann::L2_Simple_Adaptor<double, UnitCloud>, UnitCloud,
                                                   3, uint32_t>;

double ChordSquared(double angle) {
  const double chord = 2 * std::sin(std::min(angle, M_PI) / 2);
  return chord * chord;
}

}  // namespace

struct LineIndex::Tree {
  UnitCloud vertices;
  std::vector<uint32_t> line;  // of each vertex; neighbours of the same line are joined by a piece
  double longest = 0;          // angle of the longest piece
  std::unique_ptr<KdTree> tree;
};

LineIndex::LineIndex(std::span<const std::vector<LatLon>> lines) : tree_(std::make_unique<Tree>()) {
  auto& points = tree_->vertices.points;
  for (size_t k = 0; k < lines.size(); ++k) {
    const std::vector<LatLon>& line = lines[k];
    for (size_t i = 0; i < line.size(); ++i) {
      if (i > 0) {
        const LatLon a = line[i - 1], b = line[i];
        const auto pieces = static_cast<int64_t>(std::ceil(HaversineKm(a, b) / kPieceKm));
        for (int64_t j = 1; j < pieces; ++j) {
          const double t = static_cast<double>(j) / static_cast<double>(pieces);
          points.push_back(ToUnitVector(
              {a.lat_deg + t * (b.lat_deg - a.lat_deg), a.lon_deg + t * (b.lon_deg - a.lon_deg)}));
        }
      }
      points.push_back(ToUnitVector(line[i]));
    }
    tree_->line.resize(points.size(), static_cast<uint32_t>(k));
  }
  for (size_t i = 1; i < points.size(); ++i) {
    if (tree_->line[i] == tree_->line[i - 1])
      tree_->longest = std::max(tree_->longest, Angle(points[i - 1], points[i]));
  }
  if (!points.empty())
    tree_->tree = std::make_unique<KdTree>(3, tree_->vertices, nanoflann::KDTreeSingleIndexAdaptorParams(16));
}
LineIndex::~LineIndex() = default;
LineIndex::LineIndex(LineIndex&&) noexcept = default;
LineIndex& LineIndex::operator=(LineIndex&&) noexcept = default;

LineIndex::Hit LineIndex::Nearest(LatLon p) const {
  const UnitVector v = ToUnitVector(p);
  if (!tree_->tree || !std::isfinite(v.x + v.y + v.z)) return {};
  const auto& points = tree_->vertices.points;
  const double query[3] = {v.x, v.y, v.z};
  uint32_t nearest = 0;
  double squared = 0;
  tree_->tree->knnSearch(query, 1, &nearest, &squared);
  // A piece that comes nearer than this vertex has an end within half its length of its nearest point.
  const double reach = (Angle(v, points[nearest]) + tree_->longest / 2) * (1 + 1e-9) + 1e-12;
  std::vector<std::pair<uint32_t, double>> ends;
  nanoflann::SearchParams unsorted;
  unsorted.sorted = false;
  tree_->tree->radiusSearch(query, ChordSquared(reach), ends, unsorted);
  double best = Angle(v, points[nearest]);
  uint32_t line = tree_->line[nearest];
  const auto compare = [&](size_t from, size_t to) {
    if (tree_->line[from] != tree_->line[to]) return;
    const double angle = AngleToArc(v, points[from], points[to]);
    if (angle < best || (angle == best && tree_->line[from] < line)) {
      best = angle;
      line = tree_->line[from];
    }
  };
  for (const auto& [end, unused] : ends) {
    compare(end, end);
    if (end > 0) compare(end - 1, end);
    if (end + 1 < points.size()) compare(end, end + 1);
  }
  return {best * kRadiusKm, line};
}

}  // namespace graticule
