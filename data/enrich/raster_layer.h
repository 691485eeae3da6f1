// Values of a raster at many places.
//
// Classes are taken from the pixel that holds the place; quantities are interpolated between the four nearest
// pixel centres, those without data left out and the weights renewed. A place without data, on a coast say,
// takes the value of the pixel whose centre is nearest by great circle, if one lies within `reach_km`.
// Places are sorted by block, so that each block is read about once; every thread has its own handle.
// The result does not depend on the number of threads. Errors: those of RasterBand.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

enum class SampleKind : uint8_t {
  kUnknownPlace,  // or one that the raster's projection does not reach
  kOutside,       // of the raster
  kNoData,
  kDirect,
  kFallback,  // from a pixel within reach
};

struct RasterSamples {        // of N places
  std::vector<double> value;  // in the layer's units; NaN unless kDirect or kFallback
  std::vector<SampleKind> kind;
  std::vector<float> away_km;  // 0 unless kFallback
};

struct RasterSampling {
  bool interpolate = false;
  double reach_km = 10;          // 0: no fallback
  std::optional<double> nodata;  // where the file states none
  int threads = 1;
  std::function<void(int64_t done)> progress;  // called by one thread at a time
};

RasterSamples SampleRaster(const std::string& path, std::span<const LatLon> places,
                           const RasterSampling& how);

}  // namespace graticule
