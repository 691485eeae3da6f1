// Where places lie on a raster: georeference, projection, the seam at the antimeridian and the edges.
//
// Positions are fractional pixels (u to the right, v down) with whole numbers on pixel edges, so pixel (col,
// row) holds [col, col + 1) x [row, row + 1) and its centre is (col + 0.5, row + 0.5). On a raster that goes
// round the Earth columns wrap; the last row also holds what lies less than a pixel below it, the south pole
// above all. A raster in degrees is taken as (lon, lat) as it is, any other is reached through its
// projection. Holds GDAL's projections: one object per thread. A raster that is rotated, or in no known
// reference system, is Error(kData).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "geo/latlon.h"

class GDALDataset;

namespace graticule {

struct PixelPosition {
  double u = 0, v = 0;  // NaN: the place is unknown or has no projection
};

struct PixelBox {  // columns may run past the seam of a raster that wraps; rows never leave the raster
  int64_t col = 0, row = 0, width = 0, height = 0;
};

class RasterGrid {
 public:
  RasterGrid(GDALDataset& dataset, const std::string& path);
  ~RasterGrid();
  RasterGrid(RasterGrid&&) noexcept;

  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  bool wraps() const { return wraps_; }

  PixelPosition Locate(LatLon p) const;
  // The pixel that holds the position, columns wrapped. False outside of the raster.
  bool PixelOf(PixelPosition at, int64_t& col, int64_t& row) const;
  // The middle of a pixel, columns wrapped; false where the projection has no place for it.
  bool CentreOf(int64_t col, int64_t row, LatLon& place) const;
  // One or two boxes that together hold every pixel whose middle lies within `km` of p.
  std::vector<PixelBox> BoxesWithin(LatLon p, double km) const;

 private:
  struct Projection;
  PixelPosition ToPixels(double x, double y) const;
  std::vector<PixelBox> ProjectedBoxes(LatLon p, double km) const;
  // Clips a range of positions to a box; empty when nothing is left.
  PixelBox BoxOf(double u_low, double u_high, double v_low, double v_high) const;

  double x0_ = 0, dx_ = 0, y0_ = 0, dy_ = 0;
  int64_t width_ = 0, height_ = 0;
  bool wraps_ = false;
  std::unique_ptr<Projection> projection_;  // none: degrees
};

}  // namespace graticule
