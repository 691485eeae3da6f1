#include "launch/verbs/places.h"

#include <fmt/format.h>

#include <cmath>

#include "base/csv.h"
#include "base/error.h"
#include "base/hash.h"
#include "data/dataset.h"
#include "launch/verbs/dataset_folders.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

double Coordinate(const CsvRow& row, size_t column, const std::string& name, const std::string& where) {
  const std::optional<double> value = ToDouble(row.fields[column]);
  if (value) return *value;
  throw Error(ErrorCode::kData,
              fmt::format("\"{}\" in column {}; expected degrees", row.fields[column], name), where);
}

Places FromCsv(const std::string& path) {
  const auto reader = CsvReader::Open(path);
  const size_t lat = reader->Require({"lat", "latitude"}), lon = reader->Require({"lon", "lng", "longitude"});
  Places places;
  CsvRow row;
  while (reader->Next(row)) {
    const std::string where = fmt::format("{}:{}", path, row.line);
    if (!row.complete) {
      throw Error(ErrorCode::kData,
                  fmt::format("{} fields; expected {}", row.fields.size(), reader->header().size()), where);
    }
    if (IsMissing(row.fields[lat]) || IsMissing(row.fields[lon])) {
      ++places.unknown;
      continue;
    }
    const LatLon place{Coordinate(row, lat, "lat", where), Coordinate(row, lon, "lon", where)};
    if (!IsValid(place)) {
      throw Error(ErrorCode::kData,
                  fmt::format("the place ({}, {}); expected |lat| <= 90 and |lon| <= 360", place.lat_deg,
                              place.lon_deg),
                  where);
    }
    places.known.push_back(place);
  }
  places.sha256 = Sha256HexOfFile(path);
  return places;
}

Places FromDataset(const std::vector<std::string>& folders, const std::vector<std::string>& split) {
  const auto dataset = Dataset::Open(folders, {.split = split, .without_images = true});
  Places places;
  for (int64_t record = 0; record < dataset->size(); ++record) {
    const LatLon place = dataset->place(record);
    if (IsValid(place)) {
      places.known.push_back(place);
    } else {
      ++places.unknown;
    }
  }
  places.sha256 = dataset->Sha256();
  return places;
}

}  // namespace

void AddPlaceOptions(Options& options) {
  options.visible().add_options()("data", po::value<std::vector<std::string>>()->multitoken()->composing(),
                                  "folders of sealed data sets")(
      "split", po::value<std::vector<std::string>>()->multitoken()->composing(),
      "records of these splits only [build: train]")("csv", po::value<std::string>(),
                                                     "a table with lat and lon columns instead of --data");
}

bool HasPlaces(const Options& options) { return options.Has("data") || options.Has("csv"); }

Places ReadPlaces(const Options& options, const std::vector<std::string>& split) {
  if (options.Has("data") == options.Has("csv")) {
    throw Error(ErrorCode::kUsage, options.Has("data") ? "both --data and --csv" : "neither --data nor --csv",
                "", "Give the folders of a data set with --data, or a table of places with --csv.");
  }
  if (options.Has("csv")) return FromCsv(options.Get<std::string>("csv"));
  return FromDataset(DatasetFolders(options, "data"), options.Has("split") ? options.Words("split") : split);
}

}  // namespace graticule
