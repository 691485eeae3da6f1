#include "launch/verbs/variogram.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/error.h"
#include "base/fs.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/text.h"
#include "data/variogram/record_values.h"
#include "geo/svg.h"
#include "geo/variogram/variogram_fit.h"
#include "geo/variogram/variogram_plot.h"
#include "launch/options.h"
#include "launch/verbs/dataset_folders.h"

namespace graticule {
namespace {

namespace po = boost::program_options;
using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

constexpr int64_t kThesisRecords = 20'000;
constexpr double kHalfRoundKm = std::numbers::pi * kEvaluationRadiusKm;

struct Result {
  RecordSample sample;
  VariogramEstimate estimate;
  std::vector<VariogramFit> fits;  // the chosen one first
  VariogramCurve curve;
  std::string values, axis;  // what was compared
  Json source;
};

void Add(Options& options) {
  options.visible().add_options()("data", po::value<Words>()->multitoken()->composing(),
                                  "dataset folders (required)")(
      "split", po::value<Words>()->multitoken()->default_value({"train"}, "train"),
      "records of these splits")("embeddings", po::value<Words>()->multitoken()->composing(),
                                 "compare rows of these stores, one per folder [none]")(
      "label", po::value<std::string>(), "compare labels: country, climate or land_cover [none]")(
      "scalar", po::value<std::string>(),
      fmt::format("compare numbers: {} [none]", fmt::join(kAuxColumns, ", ")).c_str())(
      "robust", "with --scalar: the estimator of Cressie and Hawkins, which outliers move less")(
      "exclude-same", po::value<Words>()->multitoken()->composing(),
      "leave out pairs of one sequence, of one author, or of both [neither]")(
      "pairs", po::value<int64_t>()->default_value(200'000), "pairs per bin of distance")(
      "model", po::value<std::string>()->default_value("auto"),
      "auto, spherical, exponential, gaussian or stable")(
      "estimator", po::value<std::string>()->default_value("balanced"),
      "balanced: as many pairs in every bin; thesis: all pairs of at most 20000 records, bins of 0.001 rad")(
      "max-records", po::value<int64_t>()->default_value(0), "draw so many records; 0: all [thesis: 20000]")(
      "seed", po::value<uint64_t>()->default_value(0), "of records and pairs drawn")(
      "threads", po::value<int>()->default_value(0), "0: all cores")(
      "out", po::value<std::string>(), "folder for variogram.json and variogram.svg (required)");
}

void Check(const Options& options) {
  const auto missing = [&](const char* name) {
    if (!options.Has(name)) throw Error(ErrorCode::kUsage, fmt::format("--{} is missing", name));
  };
  missing("data");
  missing("out");
  const int kinds = options.Has("embeddings") + options.Has("label") + options.Has("scalar");
  if (kinds != 1) {
    throw Error(ErrorCode::kUsage,
                fmt::format("{} of --embeddings, --label and --scalar are given; expected one", kinds), "",
                "For example --embeddings emb/train");
  }
  if (options.Has("label")) options.Choice("label", {"country", "climate", "land_cover"});
  if (options.Has("scalar")) options.Choice("scalar", {std::begin(kAuxColumns), std::end(kAuxColumns)});
  if (options.Has("robust") && !options.Has("scalar")) {
    throw Error(ErrorCode::kUsage, "--robust without --scalar; expected numbers", "",
                "On unit vectors it overestimates: their squared differences have no outliers.");
  }
  const std::string model =
      options.Choice("model", {"auto", "spherical", "exponential", "gaussian", "stable"});
  if (options.Choice("estimator", {"balanced", "thesis"}) == "thesis" && model != "auto" && model != "stable")
    throw Error(ErrorCode::kUsage, fmt::format("--model {} with --estimator thesis; expected stable", model));
  for (const std::string& what : options.Words("exclude-same")) {
    if (what != "sequence" && what != "author")
      throw Error(ErrorCode::kUsage, fmt::format("--exclude-same {}; expected sequence or author", what));
  }
  const auto at_least = [&](const char* name, int64_t least) {
    const auto value = options.Get<int64_t>(name);
    if (value < least)
      throw Error(ErrorCode::kUsage, fmt::format("--{} is {}; expected {} or more", name, value, least));
  };
  const auto out = options.Get<std::string>("out");
  if (PosixFs().Exists(out) && !PosixFs().IsDirectory(out))
    throw Error(ErrorCode::kUsage, "--out names a file; expected a folder", out);
  at_least("pairs", 100);
  at_least("max-records", 0);
}

void ReadSample(const Options& options, Result& result) {
  const Words folders = DatasetFolders(options, "data"), splits = options.Words("split");
  if (splits != Words{"train"}) {
    LogWarn(
        "the curve is of split {}: a curve that a loss will use belongs on \"train\", or the test is known "
        "before it begins",
        fmt::join(splits, ", "));
  }
  const std::shared_ptr<const Dataset> dataset = Dataset::Open(
      folders,
      {.split = splits, .without_images = !options.Has("embeddings"), .keys = options.Has("exclude-same")});
  SampleOptions sampling{
      .most = options.Get<int64_t>("max-records"), .seed = options.Get<uint64_t>("seed"), .progress = {}};
  if (options.Get<std::string>("estimator") == "thesis" && !options.Has("max-records"))
    sampling.most = kThesisRecords;
  Progress progress(StderrTerminal(), SystemClock(), {.unit = "records", .total = dataset->size()});
  sampling.progress = [&](int64_t done, int64_t) { progress.Update(done, "reading values"); };
  result.source = {{"datasets", folders}, {"split", splits}, {"dataset_sha256", dataset->Sha256()}};
  if (options.Has("embeddings")) {
    const auto store = EmbeddingStore::Open(options.Words("embeddings"), dataset);
    result.sample = SampleEmbeddings(store, sampling);
    result.values = "embeddings";
    result.axis = fmt::format("cosine distance of {}", store->plan().output);
    result.source["embeddings"] = options.Words("embeddings");
    result.source["embeddings_sha256"] = store->Sha256();
    result.source["tower_sha256"] = store->plan().tower_sha256;
    result.source["output"] = store->plan().output;
  } else if (options.Has("label")) {
    const auto name = options.Get<std::string>("label");
    result.sample = SampleLabels(*dataset, name, sampling);
    result.values = "label " + name;
    result.axis = fmt::format("share of pairs that differ in {}", name == "land_cover" ? "land cover" : name);
  } else {
    const auto name = options.Get<std::string>("scalar");
    result.sample = SampleNumbers(*dataset, name, sampling);
    result.values = "scalar " + name;
    result.axis = fmt::format("half the squared difference of {}", name);
  }
  result.source["excluded"] = Json::object();
  for (const std::string& what : options.Words("exclude-same")) {
    const int64_t known = ExcludeSame(*dataset, what, result.sample);
    result.source["excluded"][what] = known;
    if (known == 0) LogWarn("no record has a known {}; no pair is left out for it", what);
  }
}

void Estimate(const Options& options, Result& result) {
  EstimateOptions estimate{.pairs = options.Get<int64_t>("pairs"),
                           .seed = options.Get<uint64_t>("seed"),
                           .threads = options.Threads(),
                           .robust = options.Has("robust"),
                           .progress = {}};
  std::unique_ptr<Progress> progress;
  estimate.progress = [&](int64_t done, int64_t total) {
    if (!progress)
      progress = std::make_unique<Progress>(StderrTerminal(), SystemClock(),
                                            Progress::Options{.unit = "pairs", .total = total});
    progress->Update(done);
  };
  const bool thesis = options.Get<std::string>("estimator") == "thesis";
  const EstimateInput input = result.sample.Input();
  result.estimate = thesis ? EstimateDense(input, estimate) : EstimateVariogram(input, estimate);
  progress.reset();

  const std::vector<FitPoint> points = FitPoints(result.estimate.bins);
  const auto model = options.Get<std::string>("model");
  if (thesis) {
    result.fits = {FitVariogram(points, VariogramShape::kStable, FitWeights::kEqual)};
  } else if (model == "auto") {
    result.fits = FitAllShapes(points);
  } else {
    result.fits = {FitVariogram(points, *VariogramShapeNamed(model))};
  }
  const VariogramFit& best = result.fits.front();
  result.curve = {
      .model = best.model,
      .rho_km = thesis ? FlatRangeKm(best.model) : best.model.PracticalRangeKm(),
      .bins = result.estimate.bins,
      .intervals = thesis ? std::map<std::string, VariogramInterval>{}
                          : JackknifeIntervals(best, result.estimate.bins, result.estimate.replicates),
      .values = result.values};
  if (result.curve.rho_km > kHalfRoundKm) {
    LogWarn(
        "the curve has not levelled off at the longest distance there is: its range of {:.0f} km and its "
        "sill say nothing",
        result.curve.rho_km);
  }
}

int64_t Pairs(const Result& result) {
  int64_t pairs = 0;
  for (const VariogramBin& bin : result.curve.bins) pairs += bin.pairs;
  return pairs;
}

Json More(const Options& options, const Result& result) {
  Json more = {{"estimator", options.Get<std::string>("estimator")},
               {"robust", options.Has("robust")},
               {"records", std::ssize(result.sample.records)},
               {"without_place", result.sample.without_place},
               {"without_value", result.sample.without_value},
               {"pairs", Pairs(result)},
               {"all_pairs", result.estimate.all_pairs},
               {"pairs_per_bin", options.Get<int64_t>("pairs")},
               {"seed", options.Get<uint64_t>("seed")},
               {"source", result.source},
               {"fits", Json::array()}};
  for (const VariogramFit& fit : result.fits) {
    more["fits"].push_back(
        {{"model", NameOf(fit.model.shape)},
         {"c0", fit.model.nugget},
         {"c", fit.model.sill},
         {fit.model.shape == VariogramShape::kStable ? "ell" : "a", fit.model.range_km},
         {"alpha", fit.model.shape == VariogramShape::kStable ? Json(fit.model.alpha) : Json()},
         {"rho", fit.model.PracticalRangeKm()},
         {"loss", fit.loss},
         {"score", fit.score}});
  }
  return more;
}

std::string Subtitle(const Options& options, const Result& result) {
  std::string text =
      fmt::format("{} curve · {} records · {} pairs", NameOf(result.curve.model.shape),
                  WithThousands(std::ssize(result.sample.records)), WithThousands(Pairs(result)));
  if (options.Has("exclude-same"))
    text += fmt::format(" · none of one {}", fmt::join(options.Words("exclude-same"), " or "));
  if (!result.curve.intervals.empty()) text += " · bars and band: 95 %";
  return text;
}

void Print(const Result& result) {
  fmt::print("{} records ({} without a place, {} without a value), {} pairs in {}\n\n",
             WithThousands(std::ssize(result.sample.records)), result.sample.without_place,
             result.sample.without_value, WithThousands(Pairs(result)),
             Counted(std::ssize(result.curve.bins), "bin"));
  fmt::print("  {:<12}{:>10}{:>10}{:>11}{:>8}{:>12}{:>10}\n", "model", "nugget", "sill", "a or l km", "alpha",
             "range km", "score");
  for (const VariogramFit& fit : result.fits) {
    const VariogramModel& m = fit.model;
    fmt::print("{} {:<12}{:>10.4g}{:>10.4g}{:>11.4g}{:>8}{:>12.4g}{:>10.1f}\n",
               &fit == &result.fits.front() ? "*" : " ", NameOf(m.shape), m.nugget, m.nugget + m.sill,
               m.range_km, m.shape == VariogramShape::kStable ? fmt::format("{:.2f}", m.alpha) : "",
               m.PracticalRangeKm(), fit.score);
  }
  fmt::print("\n* chosen: nugget {:.4g}, partial sill {:.4g}, range {:.4g} km\n", result.curve.model.nugget,
             result.curve.model.sill, result.curve.rho_km);
  for (const auto& [name, interval] : result.curve.intervals)
    fmt::print("  95 % of {:<6}{:.4g} to {:.4g}\n", name, interval.low, interval.high);
}

int Run(const Words& arguments) {
  Options options(
      "graticule variogram --data DIR... (--embeddings STORE... | --label NAME | --scalar COLUMN) --out DIR",
      "Measures how unlike the values of two records are by the distance between their places, and fits a "
      "curve "
      "to it:\nnugget, sill and range (docs/VARIOGRAM.md).");
  Add(options);
  if (!options.Parse(arguments)) return 0;
  Check(options);
  Result result;
  ReadSample(options, result);
  Estimate(options, result);
  const auto out = options.Get<std::string>("out");
  PosixFs().MakeDirs(out);
  const std::string json_path = JoinPath(out, "variogram.json"), svg_path = JoinPath(out, "variogram.svg");
  const std::string text = VariogramJson(result.curve, More(options, result));
  WriteFileAtomically(PosixFs(), svg_path,
                      VariogramSvg(result.curve, {.title = fmt::format("Semivariogram, {}", result.values),
                                                  .subtitle = Subtitle(options, result),
                                                  .values = result.axis}));
  WriteFileAtomically(PosixFs(), json_path, text);
  if (options.json()) {
    Json report = Json::parse(text);
    report["out"] = json_path;
    report["svg"] = svg_path;
    fmt::print("{}\n", JsonText(report));
  } else {
    Print(result);
    fmt::print("\nwritten to {} and {}\n", json_path, svg_path);
  }
  return 0;
}

}  // namespace

Verb VariogramVerb() {
  return {"variogram", "unlikeness over distance: a curve with nugget, sill and range", Run};
}

}  // namespace graticule
