#include "losses/contrastive/row_pass.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "losses/contrastive/leave_out.h"

namespace graticule {
namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();
// Logits at a time: they stay in a CPU's outer cache, and fill a GPU.
constexpr int64_t kHostBlock = 4 << 20, kDeviceBlock = 64 << 20;
// With fewer rows at a time the CPU's products wait for memory. Half of what features of width 512 take.
constexpr int64_t kHostRows = 256;

at::Tensor JoinColumns(const at::Tensor& a, const at::Tensor& b, int64_t rows, int64_t a_columns,
                       int64_t b_columns) {
  if (!a.defined() && !b.defined()) return {};
  const at::Tensor& known = a.defined() ? a : b;
  const auto full = [&](const at::Tensor& t, int64_t columns) {
    return t.defined() ? t.expand({rows, columns}) : at::zeros({rows, columns}, known.options());
  };
  return at::cat({full(a, a_columns), full(b, b_columns)}, 1);
}

}  // namespace

int64_t RowPass::RowsPerBlock(int64_t width) const {
  const auto rows_of = [&](int64_t values) {
    return std::max<int64_t>(1, values / std::max<int64_t>(1, width));
  };
  if (shared_.block_values > 0) return rows_of(shared_.block_values);
  return anchors_RD.is_cpu() ? std::max(kHostRows, rows_of(kHostBlock)) : rows_of(kDeviceBlock);
}

void RowPass::RunOwnRows() {
  const at::TensorOptions doubles = anchors_RD.options().dtype(at::kDouble);
  for (at::Tensor* total : {&sum_, &correct_, &positive_, &left_out_, &floored_, &largest_weight_})
    *total = at::zeros({}, doubles);
  const int64_t total = anchors_RD.size(0);
  const int64_t width = columns_CD.size(0) + (extra_RMD.defined() ? extra_RMD.size(1) : 0);
  const int64_t block_rows = std::min(RowsPerBlock(width), total);
  const at::Tensor buffer = at::empty({block_rows, width}, anchors_RD.options());
  const auto show = [&](int64_t begin) {
    return Show(begin, buffer.narrow(0, 0, std::min(block_rows, total - begin)));
  };
  positive_gradient_R_ = at::empty({total}, anchors_RD.options());
  Block block;
  for (int64_t begin = 0; begin < total; begin += block_rows) {
    block = show(begin);
    Observe(block);
    if (reverse_share > 0) {
      ObserveReverse(block);
    } else if (shared_.wants_gradients) {
      Learn(block);
    }
  }
  if (reverse_share == 0) return;
  FinishReverse();
  if (!shared_.wants_gradients) return;
  Learn(block);
  for (int64_t begin = block.begin - block_rows; begin >= 0; begin -= block_rows) {
    block = show(begin);
    Learn(block);
  }
}

at::Tensor RowPass::FeatureDistanceOf(const PairPlaces& here, const PairPlaces& there) const {
  return there.features_NF.defined() ? FeatureDistance(here, there) : at::Tensor();
}

void RowPass::WeighPairs(RowBlock& block, const at::Tensor& distance_RC) const {
  if (shared_.pair == nullptr) return;
  block.pairs = shared_.pair->Of(block.closeness_RC, distance_RC);
  PairEffect& e = block.pairs;
  for (at::Tensor* t : {&e.log_weights_RC, &e.hardness_RC, &e.factors_RC, &e.offsets_RC})
    if (t->defined()) *t = t->to(anchors_RD.scalar_type());
}

RowPass::Block RowPass::Show(int64_t begin, at::Tensor logits) const {
  const int64_t shared_columns = columns_CD.size(0), count = logits.size(0), width = logits.size(1),
                own_columns = width - shared_columns;
  Block shown;
  shown.begin = begin, shown.count = count;
  shown.scaled = anchors_RD.narrow(0, begin, count) * shared_.scale;
  at::Tensor batch_logits = logits.narrow(1, 0, shared_columns);
  at::mm_out(batch_logits, shown.scaled, columns_CD.t());
  if (own_columns > 0) {
    logits.narrow(1, shared_columns, own_columns)
        .copy_(at::bmm(extra_RMD.narrow(0, begin, count), shown.scaled.unsqueeze(2)).squeeze(2));
  }
  if (shared_.bias.defined()) logits.add_(shared_.bias);

  const PairPlaces here = rows.Narrow(begin, count);
  shown.valid = here.valid_N;
  shown.positive_column = positives_R.narrow(0, begin, count).unsqueeze(1);
  RowBlock& block = shown.rows;
  block.scale = shared_.scale;
  if (shared_.objective->needs_closeness()) block.draws_R2 = draws_R2.narrow(0, begin, count);
  if (shared_.objective->needs_closeness() || shared_.pair != nullptr)
    block.closeness_RC = Closeness(here, columns);
  const bool in_place = own_columns == 0 && LeavesOutInPlace(logits, block.closeness_RC);
  at::Tensor left_out = in_place ? at::Tensor() : LeftOut(here, columns, block.closeness_RC);
  at::Tensor distance = FeatureDistanceOf(here, columns);
  if (own_columns > 0) {
    const PairPlaces own_places = extra.Narrow(begin * own_columns, count * own_columns);
    left_out = JoinColumns(left_out, LeftOutOwn(here, own_places), count, shared_columns, own_columns);
    if (block.closeness_RC.defined())
      block.closeness_RC = at::cat({block.closeness_RC, ClosenessOwn(here, own_places)}, 1);
    if (distance.defined()) {  // drawn places have no images
      constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
      distance = at::cat({distance, at::full({count, own_columns}, kUnknown, distance.options())}, 1);
    }
  }
  WeighPairs(block, distance);
  // A sample without a place is no negative in the other direction either; its row counts nowhere.
  if (reverse_share > 0 && !rows.all_valid && !in_place)
    left_out = left_out.logical_or(shown.valid.logical_not().unsqueeze(1));
  block.positive_R = logits.gather(1, shown.positive_column).squeeze(1);
  shown.first_R = logits.narrow(1, 0, batch_columns).amax(1) <= block.positive_R;
  logits.scatter_(1, shown.positive_column, kNone);
  block.count_R = at::full({count}, static_cast<double>(width - 1), logits.options());
  if (left_out.defined()) {
    if (left_out.size(0) != count) left_out = left_out.expand({count, width});
    left_out = left_out.scatter(1, shown.positive_column, false);
    shown.left_out_R = left_out.sum(1);
    if (reverse_share > 0) shown.left_out_C = left_out.sum(0);
    block.count_R = block.count_R - shown.left_out_R;
    logits.masked_fill_(left_out, kNone);
  }
  if (in_place) {
    const LeftOutCounts counts = LeaveOut(logits, here, columns, shown.positive_column, reverse_share > 0);
    shown.left_out_R = counts.rows_R, shown.left_out_C = counts.columns_C;
    if (counts.rows_R.defined()) block.count_R = block.count_R - counts.rows_R;
  }
  block.negatives_RC = logits;
  return shown;
}

void RowPass::Observe(const Block& block) {
  const RowLoss loss = shared_.objective->Forward(block.rows);
  const at::Tensor valid = block.valid.to(at::kDouble);
  sum_ += share * loss.loss_R.to(at::kDouble).dot(valid);
  correct_ += block.first_R.to(at::kDouble).dot(valid);
  positive_ += block.rows.positive_R.to(at::kDouble).dot(valid);
  if (block.left_out_R.defined()) {
    // Of the columns that have a place: padding is no candidate, and there is more of it on more ranks.
    at::Tensor others = columns.valid_N.sum().to(at::kDouble) - 1;
    if (extra_RMD.defined()) {
      const int64_t own_columns = extra_RMD.size(1);
      const at::Tensor own = extra.valid_N.narrow(0, block.begin * own_columns, block.count * own_columns);
      others = others + own.view({block.count, own_columns}).sum(1);
    }
    const at::Tensor share = 1 - block.rows.count_R.to(at::kDouble) / others.clamp_min(1);
    left_out_ += share.expand({block.count}).dot(valid);
  }
  if (loss.largest_weight_R.defined()) largest_weight_ += loss.largest_weight_R.to(at::kDouble).dot(valid);
  if (loss.floored_R.defined()) floored_ += loss.floored_R.to(at::kDouble).dot(valid);
  if (!shared_.wants_gradients) return;
  if (!statistics_RK_.defined())
    statistics_RK_ = at::empty({anchors_RD.size(0), loss.statistics_RK.size(1)}, anchors_RD.options());
  statistics_RK_.narrow(0, block.begin, block.count).copy_(loss.statistics_RK);
  positive_gradient_R_.narrow(0, block.begin, block.count).copy_(loss.positive_gradient_R);
}

void RowPass::ObserveReverse(const Block& block) {
  if (!reverse_sums_.defined()) {
    const int64_t total = anchors_RD.size(0);
    reverse_sums_ = at::full({total, 2}, kNone, anchors_RD.options());
    reverse_rows_.count_R = at::full({total}, static_cast<double>(total - 1), anchors_RD.options());
    reverse_rows_.positive_R = at::empty({total}, anchors_RD.options());
    reverse_rows_.scale = shared_.scale;
  }
  RowBlock piece = block.rows;
  piece.negatives_RC = piece.negatives_RC.narrow(1, 0, batch_columns);
  reverse_sums_ = at::logaddexp(reverse_sums_, shared_.objective->LogSums(piece, 0));
  reverse_rows_.positive_R.narrow(0, block.begin, block.count).copy_(piece.positive_R);
  if (block.left_out_C.defined()) reverse_rows_.count_R.sub_(block.left_out_C.narrow(0, 0, batch_columns));
}

void RowPass::FinishReverse() {
  const RowLoss loss = shared_.objective->FromLogSums(reverse_rows_, reverse_sums_);
  sum_ += reverse_share * loss.loss_R.to(at::kDouble).dot(rows.valid_N.to(at::kDouble));
  reverse_statistics_ = loss.statistics_RK;
  positive_gradient_R_ = share * positive_gradient_R_ + reverse_share * loss.positive_gradient_R;
}

void RowPass::Learn(Block& block) {
  const auto here = [&](const at::Tensor& t) { return t.narrow(0, block.begin, block.count); };
  const at::Tensor statistics = here(statistics_RK_);
  const bool both = reverse_share > 0;
  at::Tensor gradient = both ? shared_.objective->GradientBothWays(block.rows, statistics, share,
                                                                   {reverse_statistics_, reverse_share})
                             : shared_.objective->Gradient(block.rows, statistics);
  gradient.scatter_(1, block.positive_column, here(positive_gradient_R_).unsqueeze(1));
  if (!rows.all_valid) gradient.mul_(block.valid.to(gradient.scalar_type()).unsqueeze(1));
  AddGradients(block.begin, block.scaled, gradient, both ? 1 : share);
}

void RowPass::AddGradients(int64_t begin, const at::Tensor& scaled, const at::Tensor& gradient,
                           double share) {
  const int64_t shared_columns = columns_CD.size(0), count = gradient.size(0);
  const at::Tensor batch_gradient = gradient.narrow(1, 0, shared_columns);
  at::Tensor pull = at::mm(batch_gradient, columns_CD);  // d / d scaled anchors
  if (extra_RMD.defined()) {
    const at::Tensor own = gradient.narrow(1, shared_columns, gradient.size(1) - shared_columns);
    const at::Tensor extra_here = extra_RMD.narrow(0, begin, count);
    pull.add_(at::bmm(own.unsqueeze(1), extra_here).squeeze(1));
    if (extra_gradient.defined())
      extra_gradient.narrow(0, begin, count).add_(own.unsqueeze(2) * scaled.unsqueeze(1), share);
  }
  if (anchors_gradient.defined())
    anchors_gradient.narrow(0, begin, count).addcmul_(pull, shared_.scale, share);
  // d / d log s = sum of G l, and l = <scaled anchor, column>: no product with -inf where nothing counts.
  if (shared_.log_scale_gradient.defined())
    shared_.log_scale_gradient.add_((pull * scaled).sum(at::kDouble), share);
  if (shared_.bias_gradient.defined()) shared_.bias_gradient.add_(gradient.sum(), share);
  for (const OwnColumns& range : own) {
    if (!range.gradient.defined()) continue;
    range.gradient.addmm_(batch_gradient.narrow(1, range.begin, range.count).t(), scaled, 1, share);
  }
}

void RowPass::RunForeignRows(const at::Tensor& all_anchors, const PairPlaces& all_rows,
                             const at::Tensor& all_statistics, int64_t rank) {
  const int64_t mine = anchors_RD.size(0), total = all_anchors.size(0);
  for (const OwnColumns& range : own) {
    if (!range.gradient.defined()) continue;
    const at::Tensor pieces = columns_CD.narrow(0, range.begin, range.count);
    const PairPlaces piece_places = columns.Narrow(range.begin, range.count);
    const int64_t block = RowsPerBlock(range.count);
    for (int64_t begin = 0; begin < total;) {
      if (begin == rank * mine) {
        begin += mine;
        continue;
      }
      const int64_t stop = begin < rank * mine ? rank * mine : total;
      const int64_t count = std::min(block, stop - begin);
      const PairPlaces here = all_rows.Narrow(begin, count);
      const at::Tensor scaled = all_anchors.narrow(0, begin, count) * shared_.scale;
      RowBlock piece;
      piece.scale = shared_.scale;
      piece.first_column = range.begin;
      piece.negatives_RC = at::mm(scaled, pieces.t());
      if (shared_.bias.defined()) piece.negatives_RC.add_(shared_.bias);
      if (shared_.pair != nullptr) piece.closeness_RC = Closeness(here, piece_places);
      WeighPairs(piece, FeatureDistanceOf(here, piece_places));
      if (LeavesOutInPlace(piece.negatives_RC, piece.closeness_RC)) {
        LeaveOut(piece.negatives_RC, here, piece_places);
      } else {
        const at::Tensor left_out = LeftOut(here, piece_places, piece.closeness_RC);
        if (left_out.defined()) piece.negatives_RC.masked_fill_(left_out, kNone);
      }
      at::Tensor gradient = shared_.objective->Gradient(piece, all_statistics.narrow(0, begin, count));
      if (!all_rows.all_valid) gradient.mul_(here.valid_N.to(gradient.scalar_type()).unsqueeze(1));
      range.gradient.addmm_(gradient.t(), scaled, 1, share);
      begin += count;
    }
  }
}

ContrastiveSums RowPass::observed() const {
  ContrastiveSums sums;
  sums.correct = correct_;
  sums.positive = positive_;
  sums.left_out = left_out_;
  sums.floored = floored_;
  sums.largest_weight = largest_weight_;
  return sums;
}

}  // namespace graticule
