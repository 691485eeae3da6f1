#include "launch/verbs/data_enrich.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/clock.h"
#include "base/json_text.h"
#include "base/progress.h"
#include "base/terminal.h"
#include "base/text.h"
#include "data/enrich/enrich_dataset.h"
#include "data/enrich/land_cover_legend.h"
#include "launch/options.h"
#include "launch/verbs/dataset_folders.h"

namespace graticule {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

void AddOptions(po::options_description& options) {
  const EnrichOptions d;
  const auto file = [] { return po::value<std::string>(); };
  options.add_options()("koppen", file(), "raster of Koeppen-Geiger classes, Beck's codes: climate [none]")(
      "elevation", file(), "raster, m: elev_m [none]")("population", file(),
                                                       "raster, persons per km2: popden_km2 [none]")(
      "worldclim-tavg", file(),
      "folder of 12 monthly rasters (or a path with *), degrees C: tavg_c, tdiff_c [none]")(
      "worldclim-prec", file(),
      "folder of 12 monthly rasters (or a path with *), mm: prec_mm, precdiff_mm [none]")(
      "landcover", file(), "raster of classes: landcover [none]")(
      "landcover-legend", file(),
      fmt::format("whose classes: {} [none]", fmt::join(LandCoverLegends(), ", ")).c_str())(
      "countries", file(), "polygons of countries (Natural Earth, geoBoundaries, GADM): country_iso [none]")(
      "coastline", file(), "lines or land polygons: coast_km [none]")(
      "reach-km", po::value<double>()->default_value(d.reach_km, "10"),
      "a place without data takes the nearest pixel's value from within this distance; 0: never")(
      "replace", file(),
      "columns, like climate,elev_m, whose layer wins over the source's own values [none]")(
      "threads", po::value<int>()->default_value(0), "0: one per core, at most 8")(
      "cache-mib", po::value<int64_t>()->default_value(d.cache_mib), "memory for decoded blocks of rasters");
}

EnrichOptions Read(const Options& options) {
  EnrichOptions o;
  const std::pair<const char*, std::string*> files[] = {{"koppen", &o.koppen},
                                                        {"elevation", &o.elevation},
                                                        {"population", &o.population},
                                                        {"worldclim-tavg", &o.worldclim_tavg},
                                                        {"worldclim-prec", &o.worldclim_prec},
                                                        {"landcover", &o.landcover},
                                                        {"landcover-legend", &o.landcover_legend},
                                                        {"countries", &o.countries},
                                                        {"coastline", &o.coastline}};
  for (const auto& [name, field] : files) {
    if (options.Has(name)) *field = options.Get<std::string>(name);
  }
  o.reach_km = options.Get<double>("reach-km");
  if (!(o.reach_km >= 0 && o.reach_km <= 1000))
    throw Error(ErrorCode::kUsage, fmt::format("--reach-km {}; expected 0 to 1000", o.reach_km));
  o.threads = options.Threads(8);
  o.cache_mib = options.Get<int64_t>("cache-mib");
  if (o.cache_mib < 1 || o.cache_mib > 1 << 20)
    throw Error(ErrorCode::kUsage, fmt::format("--cache-mib is {}, expected 1 to 1048576", o.cache_mib));
  std::istringstream names(options.Has("replace") ? options.Get<std::string>("replace") : "");
  for (std::string name; std::getline(names, name, ',');) o.replace.insert(name);
  return o;
}

json ToJson(const std::string& folder, const EnrichReport& report) {
  json columns = json::object();
  for (const EnrichReportRow& row : report.rows) {
    json& c = columns[row.column];
    c = {{"direct", row.info.direct},
         {"fallback", row.info.fallback},
         {"missing", row.missing},
         {"method", row.info.method},
         {"reach_km", row.info.reach_km},
         {"fallback_mean_km", row.info.fallback_mean_km},
         {"fallback_max_km", row.info.fallback_max_km},
         {"replace", row.info.replace}};
    if (row.compared > 0) c["agreement"] = {{"compared", row.compared}, {"equal", row.equal}};
  }
  return {{"folder", folder},
          {"records", report.records},
          {"sidecar", report.manifest.enrich_sidecar->file},
          {"manifest_sha256", report.manifest.sha256},
          {"columns", columns}};
}

void Print(const std::string& folder, const EnrichReport& report) {
  fmt::print("{}: {}\n\n{:<14} {:>10} {:>10} {:>10}  {}\n", folder, Counted(report.records, "record"),
             "column", "direct", "fallback", "missing", "agrees with the source");
  for (const EnrichReportRow& row : report.rows) {
    fmt::print("{:<14} {:>10} {:>10} {:>10}  {}\n", row.column, row.info.direct, row.info.fallback,
               row.missing,
               row.compared == 0
                   ? "-"
                   : fmt::format("{:.2f} % of {}",
                                 100.0 * static_cast<double>(row.equal) / static_cast<double>(row.compared),
                                 row.compared));
  }
  fmt::print("\nwritten to {}\n", JoinPath(folder, report.manifest.enrich_sidecar->file));
}

int Run(const std::vector<std::string>& arguments) {
  Options options("graticule data enrich DIR... [layers] [options]",
                  "Samples geographic layers at every record and writes the values beside the shards, where "
                  "training finds "
                  "them:\na value fills what the source does not have. The driving side follows from the "
                  "country and needs no "
                  "file.\nRepeat it with other layers to add their columns.");
  AddOptions(options.visible());
  options.Positional("folder", "datasets");
  if (!options.Parse(arguments)) return 0;
  const std::vector<std::string> folders = DatasetFolders(options);
  EnrichOptions enrich = Read(options);
  json all = json::array();
  for (const std::string& folder : folders) {
    std::optional<Progress> line;
    enrich.progress = [&](const std::string& layer, int64_t done, int64_t total) {
      if (!line)
        line.emplace(StderrTerminal(), SystemClock(), Progress::Options{.unit = "lookup", .total = total});
      line->Update(done, layer);
    };
    const EnrichReport report = EnrichDataset(PosixFs(), folder, enrich);
    line.reset();
    all.push_back(ToJson(folder, report));
    if (!options.json()) Print(folder, report);
  }
  if (options.json()) fmt::print("{}\n", JsonText(json{{"datasets", all}}));
  return 0;
}

}  // namespace

Verb DataEnrichVerb() { return {"data enrich", "add columns from climate maps, rasters and borders", Run}; }

}  // namespace graticule
