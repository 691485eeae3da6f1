// The curve of a training run as SVG: loss and its terms, validation, learning rate over steps.
//
// Reads metrics.jsonl: one JSON object per line with "step" and any of "loss", "terms": {name: value}, "lr",
// "val": {name: value}. Other keys are ignored, a row of a step that was run again replaces the earlier one,
// and a line that a crash cut short is skipped when it is the last. Torch-free, pure except for reading the
// file. Fails with Error(kData) naming the line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace graticule {

struct TrainingCurve {
  std::map<std::string, std::map<int64_t, double>>
      series;  // "loss", "terms/geocell", "lr", "val/median_km" -> by step
};

TrainingCurve ParseTrainingCurve(std::string_view jsonl, const std::string& where);
std::string LossCurveSvg(const TrainingCurve& curve, const std::string& title);
// Reads metrics_path, writes svg_path.
void WriteLossCurve(const std::string& metrics_path, const std::string& svg_path, const std::string& title);

}  // namespace graticule
