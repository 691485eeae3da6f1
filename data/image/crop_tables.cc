#include "data/image/crop_tables.h"

#include "base/error.h"

namespace graticule {

void CropTables::Clear() {
  crops_.clear();
  words_.clear();
}

void CropTables::Add(const ResizePlan& plan, Filter filter) {
  const Box &source = plan.source, &window = plan.window;
  GRATICULE_CHECK(plan.stretch.width == 0, "tables begin and end at whole pixels");
  GRATICULE_CHECK(source.width > 0 && source.height > 0 && window.width > 0 && window.height > 0);
  ComputeAxisWeights(filter, source.width, 0, source.width, plan.full_width, window.x, window.width, across_);
  ComputeAxisWeights(filter, source.height, 0, source.height, plan.full_height, window.y, window.height,
                     down_);
  const int first_row = down_.first.front();
  crops_.push_back({.source = source,
                    .first_row = first_row,
                    .rows = down_.first.back() + down_.count.back() - first_row,
                    .width = window.width,
                    .height = window.height,
                    .mirror = plan.mirror,
                    .across = Append(across_),
                    .down = Append(down_)});
}

AxisTable CropTables::Append(const AxisWeights& weights) {
  const AxisTable axis{words_.size(), weights.taps};
  words_.insert(words_.end(), weights.first.begin(), weights.first.end());
  words_.insert(words_.end(), weights.count.begin(), weights.count.end());
  words_.insert(words_.end(), weights.weight.begin(), weights.weight.end());
  return axis;
}

}  // namespace graticule
