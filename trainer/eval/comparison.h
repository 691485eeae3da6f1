// A model beside the baselines on the same held-out parts: summary.json, and the rows from which maps are
// drawn.
//
// Reads what `eval` left (eval/<part>/predictions.csv) and what `data baselines` wrote; computes nothing
// about the model that is not in those rows. Shares are fractions, distances km. Torch-free. Error(kData)
// names file and line.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "trainer/eval/metrics.h"

namespace graticule {

// Rows of a predictions.csv, in its order.
std::vector<EvalRow> ReadPredictions(const std::string& path);

struct Comparison {
  std::map<std::string, std::vector<EvalRow>> rows;  // by part
  std::string summary_json;  // model, baselines, parts: {part: {model, baselines}}, ratios_750
  std::string table;         // the same for people
};

// eval_folders: by part, each holding predictions.csv. The baselines file must cover the same parts and
// images.
Comparison CompareWithBaselines(const std::map<std::string, std::string>& eval_folders,
                                const std::string& baselines_path);

}  // namespace graticule
