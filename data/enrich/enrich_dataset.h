// `graticule data enrich`: samples geographic layers at every record of a sealed dataset and writes the
// values beside its shards (data/enrich/enrich_sidecar.h).
//
// The driving side follows from the country code, the source's own or the enriched one, and needs no file.
// Columns of earlier runs stay. Memory: about 100 bytes per record while a layer is sampled, and the finished
// columns. Errors: kUsage for options, kData for layers and datasets.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/enrich/enrich_sidecar.h"

namespace graticule {

struct EnrichOptions {
  std::string koppen, elevation, population, landcover, landcover_legend, worldclim_tavg, worldclim_prec,
      countries,
      coastline;         // files; empty: not sampled
  double reach_km = 10;  // how far a raster's value may come from; 0: only from the place itself
  int threads = 1;
  int64_t cache_mib = 512;        // decoded blocks of rasters
  std::set<std::string> replace;  // columns whose layer wins over the source's own values
  // done of total place lookups over all layers
  std::function<void(const std::string& layer, int64_t done, int64_t total)> progress;
};

struct EnrichReportRow {
  std::string column;
  EnrichColumnInfo info;
  int64_t missing = 0;
  // Records with a value of the source's own and one from the place itself, and those where both are equal;
  // of climate, drive_left and country_iso.
  int64_t compared = 0, equal = 0;
};

struct EnrichReport {
  int64_t records = 0;
  std::vector<EnrichReportRow> rows;  // columns of this run
  Manifest manifest;
};

EnrichReport EnrichDataset(FileSystem& fs, const std::string& folder, const EnrichOptions& options);

}  // namespace graticule
