#include "launch/verbs/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "geo/cell_table.h"
#include "geo/svg_map.h"
#include "launch/options.h"
#include "launch/verbs/places.h"
#include "trainer/eval/metrics.h"

namespace graticule {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using Table = std::shared_ptr<const CellTable>;

Table LoadOnlyFile(const Options& options) {
  const std::vector<std::string> files = options.Words("file");
  if (files.size() != 1) {
    throw Error(ErrorCode::kUsage, fmt::format("{} geocell files given; expected one", files.size()), "",
                "For example: graticule cells inspect cells.safetensors");
  }
  return CellTable::Load(files[0]);
}

int64_t Images(const CellTable& table) {
  int64_t sum = 0;
  for (const int64_t count : table.counts()) sum += count;
  return sum;
}

// Files of other writers may say nothing, or no JSON, about their options.
Json BuilderOptions(const CellTable& table) {
  const Json options = Json::parse(table.options(), nullptr, false);
  return options.is_discarded() ? Json(table.options()) : options;
}

Json Describe(const CellTable& table) {
  std::vector<int64_t> counts = table.counts();
  std::sort(counts.begin(), counts.end());
  std::map<int, int64_t> levels;
  for (int64_t row = 0; row < table.size() && table.kind() != "polygon"; ++row) ++levels[table.Level(row)];
  Json by_level = Json::object();
  for (const auto& [level, cells] : levels) by_level[fmt::format("{}", level)] = cells;
  const bool linked =
      std::any_of(table.parents().begin(), table.parents().end(), [](int64_t p) { return p >= 0; });
  return {{"kind", table.kind()},
          {"cells", table.size()},
          {"images", Images(table)},
          {"images_per_cell",
           {{"min", counts.front()}, {"median", counts[counts.size() / 2]}, {"max", counts.back()}}},
          {"cells_by_level", by_level},
          {"has_parents", linked},
          {"options", BuilderOptions(table)},
          {"training_data_sha256", table.training_data_sha256()},
          {"sha256", table.Sha256()}};
}

void Print(const Json& table) {
  const Json& per_cell = table["images_per_cell"];
  fmt::print("{} {} cells over {} images ({} to {} per cell, median {})\n",
             WithThousands(table["cells"].get<int64_t>()), table["kind"].get<std::string>(),
             WithThousands(table["images"].get<int64_t>()), per_cell["min"].get<int64_t>(),
             per_cell["max"].get<int64_t>(), per_cell["median"].get<int64_t>());
  const Json& levels = table["cells_by_level"];
  if (!levels.empty()) fmt::print("  {}", table["kind"] == "s2" ? "S2 level" : "depth");
  for (const auto& [level, cells] : levels.items()) fmt::print("  {}: {}", level, cells.get<int64_t>());
  fmt::print("{}  options {}\n  sha256  {}\n", levels.empty() ? "" : "\n", table["options"].dump(),
             table["sha256"].get<std::string>());
}

// What a perfect classifier would reach on these places: the centre of the containing cell, of the nearest
// one outside.
Json Ceiling(const CellTable& table, const Places& places) {
  std::vector<double> errors;
  int64_t covered = 0;
  for (const LatLon place : places.known) {
    const std::optional<int64_t> cell = table.CellOf(place);
    covered += cell.has_value();
    errors.push_back(HaversineKm(place, table.centres()[cell.value_or(table.NearestCell(place))]));
  }
  Json json = {{"images", std::ssize(errors)}, {"in_a_cell", covered}, {"without_place", places.unknown}};
  for (const auto& [name, value] : Summarise(errors).Named()) json[name] = value;
  return json;
}

void PrintCeiling(const Json& ceiling) {
  fmt::print("  ceiling over {} places ({} in a cell): ", WithThousands(ceiling["images"].get<int64_t>()),
             WithThousands(ceiling["in_a_cell"].get<int64_t>()));
  for (const double km : kThresholdsKm) {
    fmt::print("{:.1f} % < {:.0f} km, ", 100 * ceiling[fmt::format("acc_{:.0f}", km)].get<double>(), km);
  }
  fmt::print("median {:.1f} km\n", ceiling["median_km"].get<double>());
}

// cells.safetensors, 2000 -> cells_2000.safetensors
std::string NestedPath(const std::string& out, int64_t max_images) {
  const std::filesystem::path path(out);
  return (path.parent_path() /
          fmt::format("{}_{}{}", path.stem().string(), max_images, path.extension().string()))
      .string();
}

std::vector<Table> BuildTables(const Options& options, const Places& places) {
  const std::string kind = options.Get<std::string>("kind");
  std::vector<int64_t> max_images;
  if (options.Has("max-images")) max_images = options.Get<std::vector<int64_t>>("max-images");
  if (kind == "s2") {
    const S2CellOptions s2{.min_images = options.Get<int64_t>("min-images"),
                           .min_level = options.Get<int>("min-level"),
                           .max_level = options.Get<int>("max-level")};
    if (max_images.empty()) max_images.push_back(s2.max_images);
    return BuildNestedS2Cells(places.known, max_images, s2, places.sha256);
  }
  if (kind != "quadtree") {
    throw Error(ErrorCode::kUsage, fmt::format("--kind {}; expected s2 or quadtree", kind));
  }
  if (max_images.size() > 1) throw Error(ErrorCode::kUsage, "several --max-images; a quadtree takes one");
  QuadtreeOptions quadtree{.depth = options.Get<int>("depth")};
  if (!max_images.empty()) quadtree.max_images = max_images[0];
  return {BuildQuadtreeCells(places.known, quadtree, places.sha256)};
}

int Build(const std::vector<std::string>& arguments) {
  Options options(
      "graticule cells build --data DIR... --kind s2|quadtree --out cells.safetensors [options]",
      "Divides the places of a training split into geocells, the classes of a geocell head.\n"
      "s2: adaptive S2 cells, split while they hold more than --max-images; several falling values build\n"
      "nested tables (coarse, middle, fine), each in its own file. quadtree: the boxes of OSV-5M.");
  AddPlaceOptions(options);
  options.visible().add_options()("kind", po::value<std::string>()->default_value("s2"), "s2 or quadtree")(
      "min-images", po::value<int64_t>()->default_value(50),
      "s2: a cell with so many images or fewer is dropped")(
      "max-images", po::value<std::vector<int64_t>>()->multitoken(),
      "a cell with more images (quadtree: as many) is split [s2: 2000, quadtree: 1000]")(
      "min-level", po::value<int>()->default_value(2), "s2: level of the first cells")(
      "max-level", po::value<int>()->default_value(30), "s2: level of the last cells")(
      "depth", po::value<int>()->default_value(10), "quadtree: deepest split")(
      "out", po::value<std::string>(), "file to write (required)");
  if (!options.Parse(arguments)) return 0;
  const std::string out = options.OutputFile("out", "cells.safetensors");
  const Places places = ReadPlaces(options, {"train"});
  const std::vector<Table> tables = BuildTables(options, places);
  Json report = {
      {"places", std::ssize(places.known)}, {"without_place", places.unknown}, {"tables", Json::array()}};
  for (const Table& table : tables) {
    const int64_t max_images = Json::parse(table->options())["max_images"];
    const std::string path = tables.size() == 1 ? out : NestedPath(out, max_images);
    table->Save(path);
    Json entry = {{"path", path}};
    entry.update(Describe(*table));
    entry["ceiling"] = Ceiling(*table, places);
    report["tables"].push_back(entry);
  }
  if (options.json()) {
    fmt::print("{}\n", JsonText(report));
    return 0;
  }
  for (const Json& table : report["tables"]) {
    fmt::print("{}: ", table["path"].get<std::string>());
    Print(table);
    PrintCeiling(table["ceiling"]);
  }
  return 0;
}

Json CellAt(const CellTable& table, const std::string& text) {
  LatLon place;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%lf,%lf%c", &place.lat_deg, &place.lon_deg, &rest) != 2 || !IsValid(place)) {
    throw Error(ErrorCode::kUsage, fmt::format("--at {}; expected LAT,LON in degrees", text), "",
                "For example --at 48.8584,2.2945");
  }
  const std::optional<int64_t> cell = table.CellOf(place);
  const int64_t nearest = table.NearestCell(place);
  return {{"cell", cell ? Json(*cell) : Json(nullptr)},
          {"nearest", nearest},
          {"nearest_km", HaversineKm(place, table.centres()[nearest])}};
}

int Inspect(const std::vector<std::string>& arguments) {
  Options options("graticule cells inspect cells.safetensors [--at LAT,LON] [--data DIR...]",
                  "Describes a geocell file; with places, what a perfect classifier would reach on them.");
  options.Positional("file", "geocell file");
  AddPlaceOptions(options);
  options.visible().add_options()("at", po::value<std::string>(), "LAT,LON: which cell is this place in");
  if (!options.Parse(arguments)) return 0;
  const Table table = LoadOnlyFile(options);
  Json report = Describe(*table);
  if (options.Has("at")) report["at"] = CellAt(*table, options.Get<std::string>("at"));
  if (HasPlaces(options)) report["ceiling"] = Ceiling(*table, ReadPlaces(options));
  if (options.json()) {
    fmt::print("{}\n", JsonText(report));
    return 0;
  }
  Print(report);
  if (report.contains("at")) {
    fmt::print("  at {}: cell {}, nearest centre {} ({:.1f} km)\n", options.Get<std::string>("at"),
               report["at"]["cell"].is_null() ? "none" : report["at"]["cell"].dump(),
               report["at"]["nearest"].get<int64_t>(), report["at"]["nearest_km"].get<double>());
  }
  if (report.contains("ceiling")) PrintCeiling(report["ceiling"]);
  return 0;
}

std::string RenderSvg(const CellTable& table, const std::string& title) {
  const auto [low, high] = std::minmax_element(table.counts().begin(), table.counts().end());
  const double from = static_cast<double>(std::max<int64_t>(1, *low)),
               to = std::max(from * 10, static_cast<double>(*high));
  WorldMap map(
      {.title = title,
       .subtitle = fmt::format("{} {} cells over {} images, {} to {} per cell", WithThousands(table.size()),
                               table.kind() == "s2" ? "S2" : table.kind(), WithThousands(Images(table)),
                               WithThousands(*low), WithThousands(*high))});
  for (int64_t row = 0; row < table.size(); ++row) {
    // Large cells bend visibly in the projection; small ones are straight and there are many of them.
    const int points_per_edge =
        table.kind() == "s2" ? std::clamp(16 >> std::max(0, table.Level(row) - 2), 1, 16) : 1;
    const LatLon centre = table.centres()[row];
    map.Region(table.Rings(row, points_per_edge),
               QuantityRamp().At(LogPosition(static_cast<double>(table.counts()[row]), from, to)),
               fmt::format("cell {}: {} images around {:.3f}, {:.3f}", row,
                           WithThousands(table.counts()[row]), centre.lat_deg, centre.lon_deg));
  }
  map.LogLegend("training images per cell", QuantityRamp(), from, to);
  return map.str();
}

int Render(const std::vector<std::string>& arguments) {
  Options options("graticule cells render cells.safetensors --out map.svg",
                  "Draws a geocell file as a world map (SVG, Equal Earth projection).");
  options.Positional("file", "geocell file");
  options.visible().add_options()("out", po::value<std::string>(), "SVG file to write (required)")(
      "title", po::value<std::string>()->default_value("Geocells"), "title of the map");
  if (!options.Parse(arguments)) return 0;
  const std::string out = options.OutputFile("out", "map.svg");
  const Table table = LoadOnlyFile(options);
  WriteFileAtomically(PosixFs(), out, RenderSvg(*table, options.Get<std::string>("title")));
  if (options.json()) {
    fmt::print("{}\n", JsonText(Json{{"path", out}, {"cells", table->size()}}));
  } else {
    fmt::print("{}: {} cells\n", out, WithThousands(table->size()));
  }
  return 0;
}

int Import(const std::vector<std::string>& arguments) {
  Options options("graticule cells import cells_50_5000.csv --out coarse.safetensors [--coarser FILE]",
                  "Turns a CSV of cells into a geocell file: the S2 cells of the ISN partitions "
                  "(class_label,hex_id,...), the\n"
                  "quadtree of OSV-5M (cluster_id,min_lat,...), or polygons as PIGEON writes them (polygon "
                  "or geometry as\n"
                  "well-known text; lng,lat,size where known). The header tells which.");
  options.Positional("file", "CSV file");
  options.visible().add_options()("out", po::value<std::string>(), "geocell file to write (required)")(
      "coarser", po::value<std::string>(), "S2: geocell file whose cells become the parents");
  if (!options.Parse(arguments)) return 0;
  const std::string out = options.OutputFile("out", "cells.safetensors");
  const std::vector<std::string> files = options.Words("file");
  if (files.size() != 1)
    throw Error(ErrorCode::kUsage, fmt::format("{} CSV files given; expected one", files.size()));
  const Table coarser =
      options.Has("coarser") ? CellTable::Load(options.Get<std::string>("coarser")) : nullptr;
  const Table table = ImportCellCsv(files[0], coarser.get());
  table->Save(out);
  Json report = {{"path", out}};
  report.update(Describe(*table));
  if (options.json()) {
    fmt::print("{}\n", JsonText(report));
  } else {
    fmt::print("{}: ", out);
    Print(report);
  }
  return 0;
}

int Export(const std::vector<std::string>& arguments) {
  Options options(
      "graticule cells export cells.safetensors --out cells.csv",
      "Writes cells as CSV: S2 cells as the ISN partitions do, boxes as OSV-5M, polygons as PIGEON.");
  options.Positional("file", "geocell file");
  options.visible().add_options()("out", po::value<std::string>(), "CSV file to write (required)");
  if (!options.Parse(arguments)) return 0;
  const std::string out = options.OutputFile("out", "cells.csv");
  const Table table = LoadOnlyFile(options);
  ExportCellCsv(*table, out);
  if (options.json()) {
    fmt::print("{}\n", JsonText(Json{{"path", out}, {"cells", table->size()}}));
  } else {
    fmt::print("{}: {} cells\n", out, WithThousands(table->size()));
  }
  return 0;
}

}  // namespace

std::vector<Verb> CellsVerbs() {
  return {{"cells build", "divide the places of a data set into geocells", Build},
          {"cells inspect", "describe a geocell file", Inspect},
          {"cells render", "draw a geocell file as a world map", Render},
          {"cells import", "read a CSV of cells: ISN, OSV-5M, PIGEON", Import},
          {"cells export", "write cells as CSV", Export}};
}

}  // namespace graticule
