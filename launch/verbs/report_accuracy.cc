#include "launch/verbs/report_accuracy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/fs.h"
#include "launch/options.h"
#include "trainer/eval/comparison.h"
#include "trainer/eval/loss_curve.h"
#include "trainer/eval/report.h"

namespace graticule {
namespace {

int Run(const std::vector<std::string>& arguments) {
  Options options("graticule report accuracy --run RUN --parts near far --baselines FILE [--out DIR]",
                  "Puts the evaluations RUN/eval/<part> beside the baselines of `data baselines`: prints a "
                  "table and writes\n"
                  "summary.json, error_map.svg and loss_curve.svg.");
  namespace po = boost::program_options;
  options.visible().add_options()("run", po::value<std::string>()->required(), "run folder")(
      "parts", po::value<std::vector<std::string>>()->multitoken()->required(), "evaluated sets")(
      "baselines", po::value<std::string>()->required(), "what `data baselines --out` wrote")(
      "out", po::value<std::string>(), "folder to write into; default: the run");
  if (!options.Parse(arguments)) return 0;

  const auto run = options.Get<std::string>("run");
  const std::string out = options.Has("out") ? options.Get<std::string>("out") : run;
  std::map<std::string, std::string> folders;
  for (const std::string& part : options.Get<std::vector<std::string>>("parts")) {
    folders[part] = JoinPath(JoinPath(run, "eval"), part);
  }
  const Comparison comparison = CompareWithBaselines(folders, options.Get<std::string>("baselines"));

  FileSystem& fs = PosixFs();
  fs.MakeDirs(out);
  std::vector<EvalRow> rows;
  for (const auto& [part, part_rows] : comparison.rows)
    rows.insert(rows.end(), part_rows.begin(), part_rows.end());
  WriteFileAtomically(fs, JoinPath(out, "error_map.svg"),
                      ErrorMapSvg(rows, fmt::format("Error of {} held-out images", rows.size())));
  WriteLossCurve(JoinPath(run, "metrics.jsonl"), JoinPath(out, "loss_curve.svg"), run);
  WriteFileAtomically(fs, JoinPath(out, "summary.json"), comparison.summary_json);
  fmt::print("{}", options.json() ? comparison.summary_json : comparison.table);
  if (!options.json())
    fmt::print("\nsummary.json, error_map.svg and loss_curve.svg are written to {}\n", out);
  return 0;
}

}  // namespace

Verb ReportAccuracyVerb() {
  return {"report accuracy", "a model beside the baselines: table, summary, error map, loss curve", Run};
}

}  // namespace graticule
