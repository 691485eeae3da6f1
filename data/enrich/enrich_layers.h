// Each geographic layer as columns of the enrichment: which files, how they are sampled, and what their
// values must look like.
//
// A layer of which more than one value in a thousand lies outside of what is possible on Earth is refused by
// name (Error(kData)): the usual causes are another product, another unit, or a "no data" value that the file
// does not state. Further errors are those of raster_band.h and vector_file.h.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "data/enrich/enrich_sidecar.h"
#include "geo/latlon.h"

namespace graticule {

struct LayerSampling {
  std::span<const LatLon> places;
  double reach_km = 10;  // of rasters
  int threads = 1;
  // done: places looked up in one file, which the name of the layer tells from others
  std::function<void(const std::string& layer, int64_t done)> progress;
};

struct SampledColumn {
  EnrichColumn column;
  std::vector<bool> from_afar;  // [N]: the value comes from within reach, not from the place itself
};
using SampledColumns = std::map<std::string, SampledColumn>;

void SampleClimate(const std::string& file, const LayerSampling& how, SampledColumns& out);
void SampleElevation(const std::string& file, const LayerSampling& how, SampledColumns& out);
// Nobody lives outside of the raster; a place without data inside of it has no value.
void SamplePopulation(const std::string& file, const LayerSampling& how, SampledColumns& out);
void SampleLandCover(const std::string& file, const std::string& legend, const LayerSampling& how,
                     SampledColumns& out);
// variable: "tavg" or "prec". where: a folder, or a path with one * in the file name, of twelve monthly files
// whose names end in the month.
void SampleWorldClim(const std::string& variable, const std::string& where, const LayerSampling& how,
                     SampledColumns& out);
std::vector<std::string> MonthlyFiles(const std::string& variable, const std::string& where);
void SampleCountry(const std::string& file, const LayerSampling& how, SampledColumns& out);
void SampleCoast(const std::string& file, const LayerSampling& how, SampledColumns& out);
// From numeric country codes, 0 unknown.
void DriveSide(std::span<const uint16_t> country_iso, SampledColumns& out);

}  // namespace graticule
