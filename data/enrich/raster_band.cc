#include "data/enrich/raster_band.h"

#include <fmt/format.h>
#include <gdal_priv.h>

#include <algorithm>
#include <cmath>

#include "base/fs.h"
#include "data/enrich/gdal_start.h"

namespace graticule {

void RasterBand::Closer::operator()(GDALDataset* dataset) const { GDALClose(dataset); }

RasterBand::RasterBand(const std::string& path, std::optional<double> nodata) : path_(path) {
  StartGdal();
  if (!PosixFs().Exists(path)) throw Error(ErrorCode::kUsage, "there is no such raster", path);
  CPLErrorReset();
  dataset_.reset(GDALDataset::Open(path.c_str(), GDAL_OF_RASTER | GDAL_OF_READONLY));
  if (!dataset_) {
    throw Error(ErrorCode::kData, fmt::format("is no raster that GDAL reads{}", LastGdalMessage()), path,
                "`gdalinfo FILE` must show it.");
  }
  if (dataset_->GetRasterCount() != 1) {
    throw Error(ErrorCode::kData, fmt::format("has {} bands, expected one", dataset_->GetRasterCount()), path,
                "`gdal_translate -b N` takes one out.");
  }
  band_ = dataset_->GetRasterBand(1);
  const GDALDataType type = band_->GetRasterDataType();
  if (GDALDataTypeIsComplex(type)) throw Error(ErrorCode::kData, "holds complex numbers", path);
  single_precision_ = type == GDT_Float32;
  grid_ = std::make_unique<RasterGrid>(*dataset_, path);
  band_->GetBlockSize(&block_width_, &block_height_);
  int given = 0;
  const double own = band_->GetNoDataValue(&given);
  nodata_ = given ? std::optional<double>(own) : nodata;
  const double scale = band_->GetScale(&given);
  if (given) scale_ = scale;
  const double offset = band_->GetOffset(&given);
  if (given) offset_ = offset;
}
RasterBand::~RasterBand() = default;
RasterBand::RasterBand(RasterBand&&) noexcept = default;

void RasterBand::Read(const PixelBox& box, std::vector<double>& raw) const {
  raw.resize(static_cast<size_t>(box.width * box.height));
  const int64_t across = grid_->width();
  for (int64_t done = 0; done < box.width;) {
    const int64_t from = ((box.col + done) % across + across) % across;
    const int64_t run = std::min(box.width - done, across - from);
    const CPLErr result =
        band_->RasterIO(GF_Read, static_cast<int>(from), static_cast<int>(box.row), static_cast<int>(run),
                        static_cast<int>(box.height), raw.data() + done, static_cast<int>(run),
                        static_cast<int>(box.height), GDT_Float64, sizeof(double),
                        static_cast<GSpacing>(box.width) * static_cast<GSpacing>(sizeof(double)), nullptr);
    if (result != CE_None) {
      throw Error(ErrorCode::kData,
                  fmt::format("rows {} to {} cannot be read: {}", box.row, box.row + box.height - 1,
                              CPLGetLastErrorMsg()),
                  path_, "The file is damaged or cut short; fetch it again.");
    }
    done += run;
  }
}

bool RasterBand::IsValue(double raw) const {
  if (!(std::abs(raw) <= 1e30)) return false;
  if (!nodata_) return true;
  // Files state the value in decimals, which need not be those of the nearest single-precision number.
  return single_precision_ ? static_cast<float>(raw) != static_cast<float>(*nodata_) : raw != *nodata_;
}

}  // namespace graticule
