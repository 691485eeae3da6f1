// What an evaluation leaves behind: eval/<set>/{predictions.csv, metrics.json, error_map.svg, error_cdf.svg}.
//
// predictions.csv: id, lat, lon, pred_lat, pred_lon, error_km, cell, probability, country, probability_25km;
// one line per row in the order of records; error_km is empty where the place is unknown. metrics.json holds
// the figures (names of DistanceMetrics::Named), their 95 % intervals, definitions, denominators and the
// hashes given here. Each file is replaced atomically; one writer (rank 0). Degrees, km. Torch-free. Fails
// with Error from the file system.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/fs.h"
#include "trainer/eval/metrics.h"

namespace graticule {

// What was evaluated with what; written into metrics.json as given.
struct EvalProvenance {
  std::string set;  // name of the evaluated set
  std::string data_sha256, cells_sha256, weights_sha256;
  std::string model = {};                            // run, step folder or export, as the user named it
  int64_t step = -1;                                 // of training; -1: unknown
  std::map<std::string, std::string> protocol = {};  // anything else that results depend on
  // Of a model that answers from a gallery; its cells_sha256 is empty.
  std::string gallery_sha256 = {};
  std::map<std::string, double> ceiling = {};  // by metric: what always picking the nearest place gives
};

// Sorts the rows, evaluates them and writes all files into `folder` (made if missing).
Evaluation WriteEvaluation(FileSystem& fs, const std::string& folder, std::vector<EvalRow> rows,
                           const EvalProvenance& provenance, const BootstrapOptions& options = {});

std::string PredictionsCsv(std::span<const EvalRow> rows);
std::string MetricsJson(const Evaluation& evaluation, const EvalProvenance& provenance,
                        const BootstrapOptions& options);
// Places coloured by their error, the largest drawn last. Above 5,000 images one dot stands for neighbouring
// ones and shows their median error, so that the file of a large test set stays small.
std::string ErrorMapSvg(std::span<const EvalRow> rows, const std::string& title);
// Share of images below each error, with the five radii marked.
std::string ErrorCdfSvg(std::span<const EvalRow> rows, const std::string& title);

}  // namespace graticule
