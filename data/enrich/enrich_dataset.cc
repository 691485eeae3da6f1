#include "data/enrich/enrich_dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "data/enrich/enrich_layers.h"
#include "data/enrich/gdal_start.h"
#include "data/enrich/land_cover_legend.h"
#include "data/enrich/record_labels.h"
#include "data/shard/sidecar_file.h"

namespace graticule {
namespace {

void CheckOptions(const EnrichOptions& o) {
  if (o.landcover.empty() != o.landcover_legend.empty()) {
    throw Error(ErrorCode::kUsage, "--landcover and --landcover-legend belong together", "",
                fmt::format("Legends: {}.", fmt::join(LandCoverLegends(), ", ")));
  }
  if (!o.landcover_legend.empty()) LandCoverCodes(o.landcover_legend);
  std::set<std::string> columns = {"drive_left"};
  const auto add = [&](const std::string& file, std::initializer_list<const char*> names) {
    if (!file.empty()) columns.insert(names.begin(), names.end());
  };
  add(o.koppen, {"climate"});
  add(o.elevation, {"elev_m"});
  add(o.population, {"popden_km2"});
  add(o.landcover, {"landcover"});
  add(o.worldclim_tavg, {"tavg_c", "tdiff_c"});
  add(o.worldclim_prec, {"prec_mm", "precdiff_mm"});
  add(o.countries, {"country_iso"});
  for (const std::string& name : o.replace) {
    if (!columns.contains(name)) {
      throw Error(ErrorCode::kUsage, fmt::format("--replace {}: this run makes no such column", name), "",
                  fmt::format("It makes {}.", fmt::join(columns, ", ")));
    }
  }
}

using Task = std::function<void(const LayerSampling&, SampledColumns&)>;

// The layers that are asked for, each with the number of files that every place is looked up in.
std::vector<std::pair<Task, int>> Tasks(const EnrichOptions& o) {
  std::vector<std::pair<Task, int>> tasks;
  const auto add = [&](const std::string& file, int files, const auto& sample) {
    if (!file.empty())
      tasks.emplace_back([&file, sample](const auto& how, auto& out) { sample(file, how, out); }, files);
  };
  add(o.koppen, 1, SampleClimate);
  add(o.elevation, 1, SampleElevation);
  add(o.population, 1, SamplePopulation);
  add(o.landcover, 1, [&](const auto& file, const auto& how, auto& out) {
    SampleLandCover(file, o.landcover_legend, how, out);
  });
  add(o.worldclim_tavg, 12,
      [](const auto& file, const auto& how, auto& out) { SampleWorldClim("tavg", file, how, out); });
  add(o.worldclim_prec, 12,
      [](const auto& file, const auto& how, auto& out) { SampleWorldClim("prec", file, how, out); });
  add(o.countries, 1, SampleCountry);
  add(o.coastline, 1, SampleCoast);
  return tasks;
}

// The country of each record as it will be served after this run.
std::vector<uint16_t> Countries(const std::string& folder, const Manifest& manifest, const RecordIndex& index,
                                const SampledColumns& sampled, bool replace) {
  std::vector<uint16_t> iso(static_cast<size_t>(index.size));
  const RecordLabels labels = RecordLabels::Open(folder, manifest, index);
  const auto fresh = sampled.find("country_iso");
  for (size_t i = 0; i < iso.size(); ++i) {
    iso[i] = labels.country_iso(static_cast<int64_t>(i));
    if (fresh == sampled.end()) continue;
    const uint16_t layer = std::get<std::vector<uint16_t>>(fresh->second.column.values)[i];
    iso[i] = index.country_iso[i];
    if (layer != 0 && (iso[i] == 0 || replace)) iso[i] = layer;
  }
  return iso;
}

template <typename T>
void Compare(std::span<const T> own, const SampledColumn& sampled, const std::function<bool(T)>& known,
             EnrichReportRow& row) {
  const auto& layer = std::get<std::vector<T>>(sampled.column.values);
  for (size_t i = 0; i < layer.size(); ++i) {
    const bool afar = !sampled.from_afar.empty() && sampled.from_afar[i];
    if (!known(own[i]) || !known(layer[i]) || afar) continue;
    ++row.compared;
    row.equal += own[i] == layer[i];
  }
}

// The driving side is made again by every run: what an earlier one asked of it stays.
std::set<std::string> ColumnsThatReplace(const std::string& folder, const Manifest& manifest,
                                         const EnrichOptions& options) {
  std::set<std::string> names(options.replace.begin(), options.replace.end());
  if (!manifest.enrich_sidecar) return names;
  const auto columns = EnrichSidecar::Open(folder, manifest).columns;
  const auto before = columns.find("drive_left");
  if (before != columns.end() && before->second.replace) names.insert("drive_left");
  return names;
}

EnrichReportRow Report(const std::string& name, const SampledColumn& sampled, const RecordIndex& index) {
  const EnrichColumnInfo& info = sampled.column.info;
  EnrichReportRow row{name, info, index.size - info.direct - info.fallback};
  const auto is_class = [](uint8_t v) { return v != 0 && v != kMissingU8; };
  if (name == "climate") Compare<uint8_t>(index.climate, sampled, is_class, row);
  if (name == "drive_left")
    Compare<uint8_t>(
        index.drive_left, sampled, [](uint8_t v) { return v <= 1; }, row);
  if (name == "country_iso")
    Compare<uint16_t>(
        index.country_iso, sampled, [](uint16_t v) { return v != 0; }, row);
  return row;
}

}  // namespace

EnrichReport EnrichDataset(FileSystem& fs, const std::string& folder, const EnrichOptions& options) {
  CheckOptions(options);
  RequireManifest(folder);  // before the lock, which stays where it is made
  const auto lock = LockSidecars(folder);
  const Manifest manifest = ReadManifest(folder);
  const RecordIndex index = RecordIndex::Open(folder, manifest);
  std::vector<LatLon> places;
  for (int64_t i = 0; i < index.size; ++i) places.push_back({index.lat[i], index.lon[i]});

  SetRasterCache(options.cache_mib);
  const std::vector<std::pair<Task, int>> tasks = Tasks(options);
  int64_t total = 0, finished = 0;
  for (const auto& [task, files] : tasks) total += files * index.size;
  SampledColumns sampled;
  for (const auto& [task, files] : tasks) {
    int64_t of_earlier_files = -index.size;
    std::string current;
    const auto progress = [&](const std::string& layer, int64_t done) {
      if (layer != current) of_earlier_files += index.size;
      current = layer;
      if (options.progress) options.progress(layer, finished + of_earlier_files + done, total);
    };
    task({places, options.reach_km, options.threads, progress}, sampled);
    finished += files * index.size;
  }
  DriveSide(Countries(folder, manifest, index, sampled, options.replace.contains("country_iso")), sampled);
  if (sampled.empty()) {
    throw Error(ErrorCode::kUsage,
                "no layer is named, and no record has a country to tell the driving side by", folder,
                "`graticule data enrich --help` lists the layers.");
  }

  EnrichReport report;
  report.records = index.size;
  std::map<std::string, EnrichColumn> added;
  const std::set<std::string> replacing = ColumnsThatReplace(folder, manifest, options);
  const auto placed =
      std::any_of(places.begin(), places.end(), [](LatLon p) { return !std::isnan(p.lat_deg); });
  for (auto& [name, column] : sampled) {
    column.column.info.replace = replacing.contains(name);
    if (placed && column.column.info.direct + column.column.info.fallback == 0 && name != "drive_left") {
      throw Error(ErrorCode::kUsage, fmt::format("no record gets a value of {}", name), folder,
                  "Does the layer cover these places? Nothing was written.");
    }
    report.rows.push_back(Report(name, column, index));
    added[name] = std::move(column.column);
  }
  if (ReadManifest(folder).sha256 != manifest.sha256) {
    throw Error(ErrorCode::kUsage, "the dataset was changed while its layers were sampled", folder,
                "Run it again.");
  }
  report.manifest = WriteEnrichment(fs, folder, manifest, added);
  return report;
}

}  // namespace graticule
