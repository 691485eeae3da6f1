#include "launch/verbs/data_baselines.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "launch/options.h"
#include "launch/verbs/dataset_folders.h"
#include "trainer/eval/baselines.h"

namespace graticule {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const DistanceMetrics& metrics) {
  Json object = Json::object();
  object["images"] = metrics.images;
  for (const auto& [name, value] : metrics.Named()) object[name] = value;
  return object;
}

Json ToJson(const BaselineMetrics& metrics) {
  Json object = Json::object();
  for (const char* name : kBaselineNames) {
    if (metrics.count(name)) object[name] = ToJson(metrics.at(name));
  }
  return object;
}

Json ToJson(const BaselineReport& report, uint64_t seed) {
  Json object = ToJson(report.all);
  for (const auto& [name, metrics] : report.parts) object["parts"][name] = ToJson(metrics);
  object["train_images"] = report.train_images;
  object["unreadable_images"] = report.unreadable;
  object["largest_cell_share"] = report.largest_cell_share;
  object["seed"] = seed;
  return object;
}

void PrintTable(const BaselineReport& report) {
  fmt::print("{:<14}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}\n", "", "1 km", "25", "200", "750", "2500", "median km");
  for (const char* name : kBaselineNames) {
    if (!report.all.count(name)) continue;
    const DistanceMetrics& m = report.all.at(name);
    fmt::print("{:<14}", name);
    for (const double share : m.within) fmt::print("{:>7.1f}%", 100 * share);
    fmt::print("{:>10.0f}\n", m.median_km);
  }
}

int Run(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data baselines --train DIR... --cells FILE [options]",
      "Measures predictions that need no model (the most common cell, a random training place, the nearest "
      "neighbour in an 8x8\ncolour layout) and the ceiling that the cells allow, on held-out splits.");
  namespace po = boost::program_options;
  using Words = std::vector<std::string>;
  options.visible().add_options()("train", po::value<Words>()->multitoken()->required(),
                                  "dataset folders (required)")(
      "train-split", po::value<Words>()->multitoken()->default_value({"train"}, "train"),
      "splits that count as training")(
      "eval-split", po::value<Words>()->multitoken()->default_value({"near", "far"}, "near far"),
      "splits to measure, each reported apart")("cells", po::value<std::string>()->required(),
                                                "geocell file (required)")(
      "seed", po::value<uint64_t>()->default_value(0), "of the random places")(
      "threads", po::value<int>()->default_value(0), "threads that decode; 0: all cores")(
      "no-colour", "leave out the colour neighbour, which decodes every image")(
      "out", po::value<std::string>(), "also write the JSON object to this file [none]");
  if (!options.Parse(arguments)) return 0;

  const std::string out = options.Has("out") ? options.OutputFile("out", "baselines.json") : "";
  const auto folders = DatasetFolders(options, "train");
  const std::string cells_path = RequireFile(options.Get<std::string>("cells"));
  const auto train = Dataset::Open(folders, {.split = options.Get<Words>("train-split")});
  std::map<std::string, std::shared_ptr<const Dataset>> parts;
  for (const std::string& split : options.Get<Words>("eval-split"))
    parts[split] = Dataset::Open(folders, {.split = {split}});
  const auto cells = CellTable::Load(cells_path);

  BaselineOptions baseline{.seed = options.Get<uint64_t>("seed"),
                           .threads = options.Threads(),
                           .colour = !options.Has("no-colour")};
  const bool tty = isatty(STDERR_FILENO) != 0;
  if (tty) {
    baseline.progress = [](int64_t done, int64_t total) {
      if (done % 500 == 0) fmt::print(stderr, "\rdecoded {} of {} images ", done, total);
    };
  }
  const BaselineReport report = EvaluateBaselines(*train, parts, *cells, baseline);
  if (tty) fmt::print(stderr, "\n");
  Json object = ToJson(report, baseline.seed);
  if (!out.empty()) WriteFileAtomically(PosixFs(), out, JsonText(object, 1) + "\n");
  if (options.json()) {
    if (!out.empty()) object["out"] = out;
    fmt::print("{}\n", JsonText(object));
  } else {
    PrintTable(report);
    if (!out.empty()) fmt::print("\nwritten to {}\n", out);
  }
  return 0;
}

}  // namespace

Verb DataBaselinesVerb() {
  return {"data baselines", "predictions without a model, and the ceiling of the cells", Run};
}

}  // namespace graticule
