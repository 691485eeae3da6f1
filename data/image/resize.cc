#include "data/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "data/image/resize_kernels.h"
#include "data/image/resize_vbmi.h"

namespace graticule {

namespace {

// Keys' cubic convolution with a = -1/2.
double Cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return 1.0 + x * x * ((kA + 2.0) * x - (kA + 3.0));
  if (x < 2.0) return kA * (x * (x * (x - 5.0) + 8.0) - 4.0);
  return 0.0;
}

double Triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

bool Inside(const Box& box, int width, int height) {
  return box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0 && box.x + box.width <= width &&
         box.y + box.height <= height;
}

}  // namespace

void ComputeAxisWeights(Filter filter, int in, double from, double length, int out, int begin, int size,
                        AxisWeights& weights) {
  const double scale = length / out;
  const double widen = std::max(scale, 1.0);
  const double support = (filter == Filter::kBicubic ? 2.0 : 1.0) * widen;
  const int taps = (static_cast<int>(std::ceil(support)) * 2 + 1 + 3) / 4 * 4;
  weights.taps = taps;
  weights.first.resize(size);
  weights.count.resize(size);
  weights.weight.assign(static_cast<size_t>(size) * taps, 0);
  std::vector<double> exact(taps);
  for (int i = 0; i < size; ++i) {
    const double centre = from + (begin + i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int count = std::min(in, static_cast<int>(centre + support + 0.5)) - first;
    double total = 0;
    for (int t = 0; t < count; ++t) {
      const double x = (first + t - centre + 0.5) * (1.0 / widen);
      exact[t] = filter == Filter::kBicubic ? Cubic(x) : Triangle(x);
      total += exact[t];
    }
    weights.first[i] = first;
    weights.count[i] = count;
    for (int t = 0; t < count; ++t) {
      const double fixed = exact[t] / total * (1 << kernels::kWeightBits);
      weights.weight[static_cast<size_t>(i) * taps + t] =
          static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
  }
}

void PackPairs(AxisWeights& weights) {
  weights.high_pairs.resize(weights.weight.size() / 2);
  weights.low_pairs.resize(weights.weight.size() / 2);
  constexpr int32_t kLowMask = (1 << kernels::kLowBits) - 1;
  for (size_t p = 0; p < weights.high_pairs.size(); ++p) {
    const int32_t a = weights.weight[2 * p], b = weights.weight[2 * p + 1];
    const auto pack = [](int32_t low, int32_t high) {
      return static_cast<int32_t>((static_cast<uint32_t>(high) << 16) |
                                  (static_cast<uint32_t>(low) & 0xFFFF));
    };
    weights.high_pairs[p] = pack(a >> kernels::kLowBits, b >> kernels::kLowBits);
    weights.low_pairs[p] = pack(a & kLowMask, b & kLowMask);
  }
}

Resizer::Resizer(ResizeKernel kernel)
    : kernel_(kernel == ResizeKernel::kFastest ? ResizeKernel::kVbmi : kernel),
      blocks_(std::make_unique<kernels::BlockWeights>()) {
  if (kernel_ == ResizeKernel::kVbmi && !kernels::HasVbmi()) kernel_ = ResizeKernel::kAvx512;
  if (kernel_ == ResizeKernel::kAvx512 && !kernels::HasAvx512()) kernel_ = ResizeKernel::kAvx2;
  if (kernel_ == ResizeKernel::kAvx2 && !kernels::HasAvx2()) kernel_ = ResizeKernel::kPortable;
}

Resizer::~Resizer() = default;
Resizer::Resizer(Resizer&&) noexcept = default;

void Resizer::Resize(ImageView in, const ResizePlan& plan, Filter filter, uint8_t* out) {
  GRATICULE_CHECK(Inside(plan.source, in.width, in.height), "box outside the image");
  GRATICULE_CHECK(Inside(plan.window, plan.full_width, plan.full_height), "window outside the resized image");
  const Box& window = plan.window;
  const ResizePlan::Stretch stretch = plan.stretch.width > 0
                                          ? plan.stretch
                                          : ResizePlan::Stretch{0, 0, static_cast<double>(plan.source.width),
                                                                static_cast<double>(plan.source.height)};
  ComputeAxisWeights(filter, plan.source.width, stretch.x, stretch.width, plan.full_width, window.x,
                     window.width, across_);
  ComputeAxisWeights(filter, plan.source.height, stretch.y, stretch.height, plan.full_height, window.y,
                     window.height, down_);
  const int first_row = down_.first.front();
  const int rows = down_.first.back() + down_.count.back() - first_row;
  if (kernel_ == ResizeKernel::kVbmi && down_.taps <= kernels::kMaxColumnTaps &&
      kernels::MakeBlockWeights(across_, window.width, *blocks_))
    return ResizePlanes(in, plan, first_row, rows, out);
  for (AxisWeights* axis : {&across_, &down_}) PackPairs(*axis);
  Horizontal(in, plan.source, first_row, rows, window.width);
  Vertical(first_row, 3 * window.width, window.height, out);
}

void Resizer::Horizontal(ImageView in, const Box& source, int first_row, int rows, int width) {
  const size_t row_bytes = size_t{3} * width;
  rows_.resize(row_bytes * rows + kernels::kSlack);
  const auto row_at = [&](int r) { return in.row(source.y + first_row + r) + ptrdiff_t{3} * source.x; };
  if (kernel_ == ResizeKernel::kPortable) {
    for (int r = 0; r < rows; ++r)
      kernels::RowPortable(row_at(r), across_, width, rows_.data() + row_bytes * r);
    return;
  }
  // A wide load may pass the end of its row. Rows that have too little of the image behind them are read from
  // a padded copy. Output rows are written in ascending order, so what a row spills into the next one is
  // overwritten.
  const size_t used = size_t{3} * source.width;
  const uint8_t* end = in.row(in.height - 1) + ptrdiff_t{3} * in.width;
  const auto readable = [&](int r, std::vector<uint8_t>& copy) -> const uint8_t* {
    const uint8_t* row = row_at(r);
    if (end - row >= static_cast<ptrdiff_t>(used + kernels::kSlack)) return row;
    copy.resize(used + kernels::kSlack);
    std::memcpy(copy.data(), row, used);
    return copy.data();
  };
  const bool avx512 = kernel_ >= ResizeKernel::kAvx512;
  const int at_once = avx512 ? 4 : 2;
  for (int r = 0; r < rows; r += at_once) {
    const uint8_t* from[4];
    uint8_t* to[4];
    for (int k = 0; k < at_once; ++k) {  // what is missing in the last group is the last row once more
      const int row = std::min(r + k, rows - 1);
      from[k] = readable(row, copies_[k]);
      to[k] = rows_.data() + row_bytes * row;
    }
    if (avx512) {
      kernels::RowsAvx512(from, across_, width, to);
    } else {
      kernels::RowsAvx2(from, across_, width, to);
    }
  }
}

void Resizer::ResizePlanes(ImageView in, const ResizePlan& plan, int first_row, int rows, uint8_t* out) {
  const int width = plan.window.width, row_bytes = 3 * width;
  const size_t plane_bytes = static_cast<size_t>(plan.source.width) + kernels::kPlaneSlack;
  planes_.resize(3 * plane_bytes);
  uint8_t* const planes[3] = {planes_.data(), planes_.data() + plane_bytes, planes_.data() + 2 * plane_bytes};
  rows_.resize(static_cast<size_t>(row_bytes) * rows + kernels::kRowSlack);
  for (int r = 0; r < rows; ++r) {
    kernels::TakeApart(in.row(plan.source.y + first_row + r) + ptrdiff_t{3} * plan.source.x,
                       plan.source.width, planes);
    kernels::RowOfPlanes(planes, *blocks_, rows_.data() + static_cast<size_t>(row_bytes) * r);
  }
  for (int i = 0; i < plan.window.height; ++i) {
    const uint8_t* top = rows_.data() + static_cast<int64_t>(down_.first[i] - first_row) * row_bytes;
    kernels::ColumnOfBytes(top, row_bytes, down_, i, row_bytes, out + static_cast<int64_t>(row_bytes) * i);
  }
}

void Resizer::Vertical(int first_row, int row_bytes, int height, uint8_t* out) const {
  const auto column = kernel_ >= ResizeKernel::kAvx512 ? kernels::ColumnAvx512
                      : kernel_ == ResizeKernel::kAvx2 ? kernels::ColumnAvx2
                                                       : kernels::ColumnPortable;
  for (int i = 0; i < height; ++i) {
    const uint8_t* in = rows_.data() + static_cast<int64_t>(down_.first[i] - first_row) * row_bytes;
    column(in, row_bytes, down_, i, row_bytes, out + static_cast<int64_t>(row_bytes) * i);
  }
}

}  // namespace graticule
