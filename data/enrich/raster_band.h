// One thread's handle on the first band of a raster: windows of values, and which of them are none.
//
// Opening checks that there is exactly one band, of whole or real numbers. GDAL's handles are not
// thread-safe: one object per thread; what they read is shared through GDAL's cache of blocks
// (gdal_start.h). Files that cannot be opened or read are Error(kData).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/enrich/raster_grid.h"

class GDALDataset;
class GDALRasterBand;

namespace graticule {

class RasterBand {
 public:
  // nodata: taken where the band itself states none.
  RasterBand(const std::string& path, std::optional<double> nodata);
  ~RasterBand();
  RasterBand(RasterBand&&) noexcept;

  const RasterGrid& grid() const { return *grid_; }
  int block_width() const { return block_width_; }
  int block_height() const { return block_height_; }

  // Raw values of a box, row by row; columns of a raster that wraps may run past the seam.
  void Read(const PixelBox& box, std::vector<double>& raw) const;
  // Not the "no data" value, compared in the band's own type, nor NaN, infinite or beyond 1e30.
  bool IsValue(double raw) const;
  double ToUnits(double raw) const { return raw * scale_ + offset_; }

 private:
  struct Closer {
    void operator()(GDALDataset* dataset) const;
  };
  std::string path_;
  std::unique_ptr<GDALDataset, Closer> dataset_;
  GDALRasterBand* band_ = nullptr;
  std::unique_ptr<RasterGrid> grid_;
  int block_width_ = 0, block_height_ = 0;
  bool single_precision_ = false;
  std::optional<double> nodata_;
  double scale_ = 1, offset_ = 0;
};

}  // namespace graticule
