#include "launch/verbs/gallery.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"
#include "base/json_text.h"
#include "base/log.h"
#include "data/dataset.h"
#include "data/loader/draw_places.h"
#include "geo/gallery.h"
#include "geo/place_grid.h"
#include "geo/svg_map.h"
#include "launch/options.h"
#include "launch/verbs/places.h"
#include "trainer/eval/metrics.h"

namespace graticule {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;

std::string OnlyFile(const Options& options) {
  const std::vector<std::string> files = options.Words("file");
  if (files.size() == 1) return files[0];
  throw Error(ErrorCode::kUsage, fmt::format("{} gallery files given; expected one", files.size()), "",
              "For example: graticule gallery inspect gallery.safetensors");
}

Json Describe(const Gallery& gallery) {
  const auto [south, north] = std::minmax_element(gallery.places().begin(), gallery.places().end(),
                                                  [](LatLon a, LatLon b) { return a.lat_deg < b.lat_deg; });
  const auto [west, east] = std::minmax_element(gallery.places().begin(), gallery.places().end(),
                                                [](LatLon a, LatLon b) { return a.lon_deg < b.lon_deg; });
  const int64_t distinct = std::ssize(MergePlaces(gallery.places()).kept);
  const GallerySource& source = gallery.source();
  return {{"places", gallery.size()},
          {"duplicates", gallery.size() - distinct},
          {"lat", {south->lat_deg, north->lat_deg}},
          {"lon", {west->lon_deg, east->lon_deg}},
          {"source_sha256", source.sha256},
          {"split", source.split},
          {"seed", source.seed ? Json(*source.seed) : Json(nullptr)},
          {"sha256", gallery.Sha256()}};
}

void Print(const Json& report) {
  if (report.contains("path")) fmt::print("{}: ", report["path"].get<std::string>());
  fmt::print("{} places, {} of them repeat an earlier one\n", WithThousands(report["places"].get<int64_t>()),
             WithThousands(report["duplicates"].get<int64_t>()));
  if (report.contains("merged"))
    fmt::print("  merged  {} repeats left out\n", WithThousands(report["merged"].get<int64_t>()));
  fmt::print("  extent  lat {} to {}, lon {} to {}\n", report["lat"][0].dump(), report["lat"][1].dump(),
             report["lon"][0].dump(), report["lon"][1].dump());
  const std::string split = report["split"];
  fmt::print("  source  {}{}{}\n", report["source_sha256"].get<std::string>(),
             split.empty() ? "" : fmt::format(", split {}", split),
             report["seed"].is_null() ? "" : fmt::format(", seed {}", report["seed"].get<uint64_t>()));
  fmt::print("  sha256  {}\n", report["sha256"].get<std::string>());
}

// Saves and reports; shared by the verbs that make a gallery.
int Finish(const Options& options, Gallery gallery, Json facts) {
  const std::string out = options.Get<std::string>("out");
  if (options.Get<bool>("merge-duplicates")) {
    const int64_t before = gallery.size();
    gallery = MergeDuplicates(gallery);
    facts["merged"] = before - gallery.size();
  }
  gallery.Save(out);
  Json report = {{"path", out}};
  report.update(Describe(gallery));
  report.update(facts);
  if (options.json()) {
    fmt::print("{}\n", JsonText(report));
  } else {
    Print(report);
  }
  return 0;
}

void AddMakeOptions(Options& options) {
  options.visible().add_options()("out", po::value<std::string>(), "gallery file to write (required)")(
      "merge-duplicates", po::bool_switch(),
      "keep one of places that are equal on a grid of 1e-5 degrees (published protocols keep all)");
}

// `size` of the places, the same for the same places and seed. A smaller draw is the beginning of a larger.
std::vector<LatLon> Drawn(const std::vector<LatLon>& places, int64_t size, uint64_t seed) {
  const int64_t known = std::ssize(places);
  if (size < 0 || size > known) {
    throw Error(ErrorCode::kUsage, fmt::format("--size {}; expected 0 (all) to {}", size, known), "",
                "Only records with a place can be drawn, each once.");
  }
  return DrawPlaces(places, size, seed);
}

// An accuracy means little when the answer to a test image is itself in the gallery.
void RefusePlacesOf(const std::vector<std::string>& splits, const std::vector<std::string>& folders,
                    const std::vector<LatLon>& drawn) {
  std::unordered_set<uint64_t> keys;
  for (const LatLon p : drawn) keys.insert(PlaceGridKey(p));
  const auto dataset = Dataset::Open(folders, {.split = splits, .without_images = true});
  int64_t found = 0, first = -1;
  for (int64_t record = 0; record < dataset->size(); ++record) {
    const LatLon p = dataset->place(record);
    if (!IsValid(p) || !keys.contains(PlaceGridKey(p))) continue;
    if (found++ == 0) first = record;
  }
  if (found == 0) return;
  const LatLon p = dataset->place(first);
  throw Error(ErrorCode::kData,
              fmt::format("the gallery would hold the places of {} of {} records of split {}, the first at "
                          "({}, {})",
                          found, dataset->size(), fmt::join(splits, ", "), p.lat_deg, p.lon_deg),
              dataset->Locate(first),
              "Split the data by place with `data split`, or build the gallery from another data set.");
}

int Build(const std::vector<std::string>& arguments) {
  Options options("graticule gallery build --data DIR... --size 100000 --out gallery.safetensors [options]",
                  "Draws the places that a retrieval model answers from, each record at most once.");
  AddPlaceOptions(options);
  options.visible().add_options()("size", po::value<int64_t>()->default_value(0), "places; 0: all")(
      "seed", po::value<uint64_t>()->default_value(0), "of the draw")(
      "exclude-split", po::value<std::vector<std::string>>()->multitoken()->composing(),
      "fail if a place of these splits of --data would be in the gallery");
  AddMakeOptions(options);
  if (!options.Parse(arguments)) return 0;
  options.OutputFile("out", "gallery.safetensors");
  const auto seed = options.Get<uint64_t>("seed");
  std::vector<std::string> split;
  if (options.Has("data"))
    split = options.Has("split") ? options.Words("split") : std::vector<std::string>{"train"};
  if (options.Has("exclude-split") && !options.Has("data"))
    throw Error(ErrorCode::kUsage, "--exclude-split without --data; a table has no splits");
  const Places places = ReadPlaces(options, split);
  const std::string split_name = fmt::format("{}", fmt::join(split, ","));
  if (!split.empty() && split_name != "train") {
    LogWarn(
        "the gallery is drawn from split {}, not train: accuracies on its records will count places that "
        "were "
        "given away",
        split_name);
  }
  std::vector<LatLon> drawn = Drawn(places.known, options.Get<int64_t>("size"), seed);
  if (options.Has("exclude-split"))
    RefusePlacesOf(options.Words("exclude-split"), options.Words("data"), drawn);
  return Finish(options, Gallery(std::move(drawn), {places.sha256, split_name, seed}),
                {{"known", std::ssize(places.known)}, {"without_place", places.unknown}});
}

int Import(const std::vector<std::string>& arguments) {
  Options options("graticule gallery import coordinates.csv --out gallery.safetensors",
                  "Turns a CSV with the columns LAT,LON (as GeoCLIP publishes them) into a gallery file.");
  options.Positional("file", "CSV file");
  AddMakeOptions(options);
  if (!options.Parse(arguments)) return 0;
  options.OutputFile("out", "gallery.safetensors");
  return Finish(options, Gallery::Load(OnlyFile(options)), Json::object());
}

int Export(const std::vector<std::string>& arguments) {
  Options options("graticule gallery export gallery.safetensors --out coordinates.csv",
                  "Writes a gallery as CSV with the columns LAT,LON; it keeps its SHA-256.");
  options.Positional("file", "gallery file");
  options.visible().add_options()("out", po::value<std::string>(), "CSV file to write (required)");
  if (!options.Parse(arguments)) return 0;
  const std::string out = options.OutputFile("out", "coordinates.csv");
  const Gallery gallery = Gallery::Load(OnlyFile(options));
  gallery.ExportCsv(out);
  if (options.json()) {
    fmt::print("{}\n",
               JsonText(Json{{"path", out}, {"places", gallery.size()}, {"sha256", gallery.Sha256()}}));
  } else {
    fmt::print("{}: {} places\n", out, WithThousands(gallery.size()));
  }
  return 0;
}

Json CeilingOf(const Gallery& gallery, const Places& places) {
  const Ceiling ceiling = GalleryCeiling(gallery, places.known, kThresholdsKm);
  Json json = {{"images", ceiling.places}, {"without_place", places.unknown}};
  for (size_t t = 0; t < kThresholdsKm.size(); ++t)
    json[fmt::format("acc_{:.0f}", kThresholdsKm[t])] = ceiling.within[t];
  json["median_km"] = ceiling.median_km;
  return json;
}

void PrintCeiling(const Json& ceiling) {
  fmt::print("  ceiling over {} places: ", WithThousands(ceiling["images"].get<int64_t>()));
  for (const double km : kThresholdsKm)
    fmt::print("{:.1f} % < {:.0f} km, ", 100 * ceiling[fmt::format("acc_{:.0f}", km)].get<double>(), km);
  fmt::print("median {:.3g} km\n", ceiling["median_km"].get<double>());
}

int Inspect(const std::vector<std::string>& arguments) {
  Options options(
      "graticule gallery inspect gallery.safetensors [--data DIR... --split val]",
      "Describes a gallery (file or CSV); with places, what a perfect model would reach on them.");
  options.Positional("file", "gallery file");
  AddPlaceOptions(options);
  if (!options.Parse(arguments)) return 0;
  const Gallery gallery = Gallery::Load(OnlyFile(options));
  Json report = Describe(gallery);
  if (HasPlaces(options)) {
    const Places places = ReadPlaces(options);
    if (places.known.empty())
      throw Error(ErrorCode::kData, fmt::format("none of {} records has a place", places.unknown));
    report["ceiling"] = CeilingOf(gallery, places);
  }
  if (options.json()) {
    fmt::print("{}\n", JsonText(report));
    return 0;
  }
  Print(report);
  if (report.contains("ceiling")) PrintCeiling(report["ceiling"]);
  return 0;
}

}  // namespace

std::vector<Verb> GalleryVerbs() {
  return {{"gallery build", "draw the places that a retrieval model answers from", Build},
          {"gallery import", "read a CSV of places (LAT,LON)", Import},
          {"gallery export", "write a gallery as CSV", Export},
          {"gallery inspect", "describe a gallery; what could be reached with it", Inspect}};
}

}  // namespace graticule
