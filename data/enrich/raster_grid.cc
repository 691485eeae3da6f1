#include "data/enrich/raster_grid.h"

#include <fmt/format.h>
#include <gdal_priv.h>
#include <ogr_spatialref.h>

#include <algorithm>
#include <limits>
#include <numbers>

#include "base/error.h"

namespace graticule {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kDegree = std::numbers::pi / 180;
constexpr double kKmPerDegree = kEvaluationRadiusKm * kDegree;

bool IsDegrees(const OGRSpatialReference& srs) {
  return srs.IsGeographic() && srs.GetPrimeMeridian() == 0 &&
         std::abs(srs.GetAngularUnits() - kDegree) < 1e-12;
}

int64_t Wrapped(int64_t col, int64_t width) { return ((col % width) + width) % width; }

}  // namespace

struct RasterGrid::Projection {
  std::unique_ptr<OGRCoordinateTransformation> forward, backward;
};

RasterGrid::RasterGrid(GDALDataset& dataset, const std::string& path)
    : width_(dataset.GetRasterXSize()), height_(dataset.GetRasterYSize()) {
  double g[6];
  if (dataset.GetGeoTransform(g) != CE_None || g[1] == 0 || g[5] == 0) {
    throw Error(ErrorCode::kData, "the raster does not say where on Earth it lies", path,
                "Its georeference (GeoTIFF tags, or a .tfw or .aux.xml file beside it) is missing.");
  }
  if (g[2] != 0 || g[4] != 0) {
    throw Error(ErrorCode::kData, "the raster is rotated; expected rows and columns along the axes", path,
                "`gdalwarp` makes one that is not.");
  }
  x0_ = g[0], dx_ = g[1], y0_ = g[3], dy_ = g[5];
  const OGRSpatialReference* srs = dataset.GetSpatialRef();
  const double y1 = y0_ + dy_ * static_cast<double>(height_),
               span = std::abs(dx_) * static_cast<double>(width_);
  const bool fits = std::max(std::abs(y0_), std::abs(y1)) < 91 && span < 361;
  if (srs == nullptr && !fits) {
    throw Error(ErrorCode::kData, "the raster names no reference system, and its extent is not in degrees",
                path, "`gdal_edit.py -a_srs` writes it.");
  }
  if (srs == nullptr || IsDegrees(*srs)) {
    wraps_ = std::abs(span - 360) < 0.5 * std::abs(dx_);
    return;
  }
  // Traditional order: longitude first, whatever the authority of the system says.
  OGRSpatialReference degrees, own = *srs;
  degrees.importFromEPSG(4326);
  degrees.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
  own.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
  projection_ = std::make_unique<Projection>();
  projection_->forward.reset(OGRCreateCoordinateTransformation(&degrees, &own));
  projection_->backward.reset(OGRCreateCoordinateTransformation(&own, &degrees));
  if (!projection_->forward || !projection_->backward) {
    throw Error(ErrorCode::kData, fmt::format("cannot project into the raster: {}", CPLGetLastErrorMsg()),
                path, "`gdalwarp -t_srs EPSG:4326` makes a raster in degrees.");
  }
}
RasterGrid::~RasterGrid() = default;
RasterGrid::RasterGrid(RasterGrid&&) noexcept = default;

PixelPosition RasterGrid::ToPixels(double x, double y) const { return {(x - x0_) / dx_, (y - y0_) / dy_}; }

PixelPosition RasterGrid::Locate(LatLon p) const {
  if (!IsValid(p)) return {kNaN, kNaN};
  p = Normalised(p);
  if (projection_) {
    double x = p.lon_deg, y = p.lat_deg;
    if (!projection_->forward->Transform(1, &x, &y) || !std::isfinite(x) || !std::isfinite(y))
      return {kNaN, kNaN};
    return ToPixels(x, y);
  }
  PixelPosition at = ToPixels(p.lon_deg, p.lat_deg);
  // A raster may count its longitudes from 0 to 360, or cross the antimeridian.
  const double turn = 360 / std::abs(dx_);
  if (!wraps_ && at.u < 0 && at.u + turn < static_cast<double>(width_)) at.u += turn;
  if (!wraps_ && at.u >= static_cast<double>(width_) && at.u - turn >= 0) at.u -= turn;
  return at;
}

bool RasterGrid::PixelOf(PixelPosition at, int64_t& col, int64_t& row) const {
  if (!(std::abs(at.u) < 1e15) || !(std::abs(at.v) < 1e15)) return false;
  col = static_cast<int64_t>(std::floor(at.u));
  row = static_cast<int64_t>(std::floor(at.v));
  if (wraps_) col = Wrapped(col, width_);
  // The south pole lies on the outer edge of the last row, or past it where the pixel's size was rounded.
  constexpr double kRounding = 0.01;
  if (row == height_ && at.v <= static_cast<double>(height_) + kRounding) row = height_ - 1;
  return col >= 0 && col < width_ && row >= 0 && row < height_;
}

bool RasterGrid::CentreOf(int64_t col, int64_t row, LatLon& place) const {
  if (wraps_) col = Wrapped(col, width_);
  double x = x0_ + (static_cast<double>(col) + 0.5) * dx_, y = y0_ + (static_cast<double>(row) + 0.5) * dy_;
  if (projection_ && !projection_->backward->Transform(1, &x, &y)) return false;
  place = {y, x};
  return IsValid(place);
}

PixelBox RasterGrid::BoxOf(double u_low, double u_high, double v_low, double v_high) const {
  // A position beyond the numbers of any raster is as good as one far outside.
  const auto whole = [](double x) { return static_cast<int64_t>(std::floor(std::clamp(x, -1e15, 1e15))); };
  const int64_t top = std::max<int64_t>(whole(v_low), 0), bottom = std::min(whole(v_high), height_ - 1);
  int64_t left = whole(u_low), right = whole(u_high);
  if (wraps_ && right - left >= width_) left = 0, right = width_ - 1;
  if (!wraps_) left = std::max<int64_t>(left, 0), right = std::min(right, width_ - 1);
  if (left > right || top > bottom) return {};
  return {left, top, right - left + 1, bottom - top + 1};
}

std::vector<PixelBox> RasterGrid::BoxesWithin(LatLon p, double km) const {
  if (projection_) return ProjectedBoxes(p, km);
  const PixelPosition at = Locate(p);
  const double dlat = km / kKmPerDegree, rows = dlat / std::abs(dy_);
  double columns = static_cast<double>(width_);  // near a pole: all of them
  // The meridians that touch a circle of this radius.
  const double ratio = std::sin(std::min(dlat, 90.0) * kDegree) / std::cos(p.lat_deg * kDegree);
  if (std::abs(p.lat_deg) + dlat < 90 && ratio < 1) columns = std::asin(ratio) / kDegree / std::abs(dx_);
  const PixelBox box = BoxOf(at.u - columns, at.u + columns, at.v - rows, at.v + rows);
  return box.width > 0 ? std::vector<PixelBox>{box} : std::vector<PixelBox>{};
}

// The image of a disc lies inside of the image of its rim. A rim that crosses the antimeridian is torn apart
// by the projection: then each half has a box of its own, closed by points along the antimeridian.
std::vector<PixelBox> RasterGrid::ProjectedBoxes(LatLon p, double km) const {
  struct Extent {
    double u_low = 1e300, u_high = -1e300, v_low = 1e300, v_high = -1e300;
    void Include(PixelPosition at) {
      if (std::isnan(at.u)) return;
      u_low = std::min(u_low, at.u), u_high = std::max(u_high, at.u);
      v_low = std::min(v_low, at.v), v_high = std::max(v_high, at.v);
    }
  } halves[2];
  constexpr int kRim = 96;
  constexpr double kEdge = 180 - 1e-9;
  const double distance = km / kEvaluationRadiusKm, lat = p.lat_deg * kDegree;
  const bool pole = std::abs(p.lat_deg) + km / kKmPerDegree >= 90;
  bool torn = pole;
  std::vector<LatLon> rim;
  for (int k = 0; k < kRim; ++k) {
    const double bearing = 2 * std::numbers::pi * k / kRim;
    const double sine =
        std::sin(lat) * std::cos(distance) + std::cos(lat) * std::sin(distance) * std::cos(bearing);
    const double east = std::atan2(std::sin(bearing) * std::sin(distance) * std::cos(lat),
                                   std::cos(distance) - std::sin(lat) * sine);
    rim.push_back({std::asin(std::clamp(sine, -1.0, 1.0)) / kDegree, p.lon_deg + east / kDegree});
    torn = torn || rim.back().lon_deg < -180 || rim.back().lon_deg >= 180;
  }
  if (pole) rim.push_back({std::copysign(90, p.lat_deg), 0});
  for (LatLon q : rim) {
    q = Normalised(q);
    Extent& own = halves[torn && q.lon_deg >= 0 ? 1 : 0];
    own.Include(Locate(q));
    if (!torn) continue;
    halves[0].Include(Locate({q.lat_deg, -kEdge}));
    halves[1].Include(Locate({q.lat_deg, kEdge}));
  }
  std::vector<PixelBox> boxes;
  constexpr double kMargin = 1;  // the rim is a polygon, which lies a little inside of the circle
  for (const Extent& half : halves) {
    const PixelBox box =
        BoxOf(half.u_low - kMargin, half.u_high + kMargin, half.v_low - kMargin, half.v_high + kMargin);
    if (half.u_low <= half.u_high && box.width > 0) boxes.push_back(box);
  }
  return boxes;
}

}  // namespace graticule
