#include "losses/contrastive/contrastive_loss.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "losses/batch_collectives.h"
#include "losses/contrastive/row_pass.h"

namespace graticule {
namespace {

constexpr size_t kInputs = 6;

at::Tensor ZerosFor(const at::Tensor& input, at::ScalarType type) {
  if (!input.defined() || !input.requires_grad()) return {};
  return at::zeros(input.sizes(), input.options().dtype(type).requires_grad(false));
}

}  // namespace

ContrastiveLoss::ContrastiveLoss(const std::string& kind, const ContrastiveConfig& config,
                                 int64_t block_values, const std::optional<VariogramCurve>& curve)
    : config_(config), block_values_(block_values), objective_(MakeRowObjective(kind, config)) {
  if (config.pair.use == "none") return;
  GRATICULE_CHECK(curve.has_value(), config.pair.use);
  pair_ = std::make_shared<const PairCurve>(*curve, config.pair);
}

ContrastiveSums ContrastiveLoss::SumCollective(const ContrastiveRows& rows, const ContrastivePlaces& places,
                                               Communicator& comm, StreamHandle stream) const {
  const bool graph = at::GradMode::is_enabled();
  const at::NoGradGuard no_grad;
  const int64_t world = comm.world_size(), rank = comm.rank();
  const at::ScalarType type = objective_->needs_fp64() ? at::kDouble : rows.images_ID.scalar_type();
  const auto plain = [&](const at::Tensor& t) { return t.detach().to(type).contiguous(); };
  const at::Tensor images = plain(rows.images_ID), own = plain(rows.places_BD);
  const int64_t samples = own.size(0), views = images.size(0) / samples, image_rows = images.size(0);
  const int64_t slice = rows.candidates_SD.defined() ? rows.candidates_SD.size(0) : 0;
  const c10::Device device = images.device();
  GRATICULE_CHECK(image_rows == samples * views);
  GRATICULE_CHECK(static_cast<int64_t>(places.batch.size()) == world * samples);
  GRATICULE_CHECK(static_cast<int64_t>(places.candidates.size()) == world * slice);

  const bool two_ways = config_.gps_to_image > 0;
  const bool at_once = two_ways && world == 1 && views == 1 && objective_->sums_merge() && pair_ == nullptr;
  const at::Tensor all_places = GatherRowsCollective(own, comm, stream);
  const at::Tensor all_candidates =
      slice > 0 ? GatherRowsCollective(plain(rows.candidates_SD), comm, stream) : at::Tensor();
  const at::Tensor all_images = world > 1 || two_ways ? GatherRowsCollective(images, comm, stream) : images;

  PairPlaces batch = PairPlaces::Of(places.batch, places.batch_keys, config_.mask, 0, device);
  PairPlaces per_image = batch.Repeat(views);
  if (needs_features()) {
    per_image.features_NF = places.image_features.to(type);
    GRATICULE_CHECK(per_image.features_NF.size(0) == per_image.size());
    batch.features_NF = per_image.features_NF.unflatten(0, {-1, views}).select(1, 0);
  }
  RowPassShared shared;
  shared.objective = objective_.get();
  shared.pair = pair_.get();
  shared.scale = objective_->uses_scale() ? plain(rows.log_scale).exp() : at::ones({}, images.options());
  shared.bias = objective_->has_bias() ? plain(rows.bias) : at::Tensor();
  shared.block_values = block_values_;

  std::array<at::Tensor, kInputs> gradients = {
      ZerosFor(rows.images_ID, type),     ZerosFor(rows.places_BD, type), ZerosFor(rows.candidates_SD, type),
      ZerosFor(rows.negatives_BMD, type), ZerosFor(rows.log_scale, type), ZerosFor(rows.bias, type)};
  shared.log_scale_gradient = gradients[4];
  shared.bias_gradient = gradients[5];
  shared.wants_gradients = std::any_of(gradients.begin(), gradients.end(),
                                       [](const at::Tensor& gradient) { return gradient.defined(); });

  RowPass image_to_place(shared);
  image_to_place.share = 1 - config_.gps_to_image;
  if (at_once) image_to_place.reverse_share = config_.gps_to_image;
  image_to_place.anchors_RD = images;
  image_to_place.anchors_gradient = gradients[0];
  image_to_place.rows = per_image.Narrow(rank * image_rows, image_rows);
  image_to_place.columns_CD = slice > 0 ? at::cat({all_places, all_candidates}) : all_places;
  image_to_place.columns = batch;
  image_to_place.batch_columns = world * samples;
  image_to_place.own.push_back({rank * samples, samples, gradients[1]});
  if (slice > 0) {
    PairPlaces candidates = PairPlaces::Of(places.candidates, places.candidate_keys, config_.mask, -1, device,
                                           places.candidate_km);
    if (places.candidate_features.defined()) {
      const int64_t without = candidates.size() - places.candidate_features.size(0);
      candidates.features_NF = at::constant_pad_nd(places.candidate_features.to(type), {0, 0, 0, without});
    }
    image_to_place.columns = PairPlaces::Join(batch, candidates);
    image_to_place.own.push_back({world * samples + rank * slice, slice, gradients[2]});
  }
  if (rows.negatives_BMD.defined()) {
    image_to_place.extra_RMD = plain(rows.negatives_BMD).repeat_interleave(views, 0);
    image_to_place.extra =
        PairPlaces::Of(places.negatives, {}, config_.mask, -1, device).PerRow(samples, views);
    if (gradients[3].defined()) image_to_place.extra_gradient = at::zeros_like(image_to_place.extra_RMD);
  }
  if (needs_draws()) {
    image_to_place.draws_R2 =
        at::tensor(places.draws, at::TensorOptions(at::kDouble)).view({image_rows, 2}).to(device);
  }
  const at::TensorOptions longs = at::TensorOptions(at::kLong).device(device);
  image_to_place.positives_R =
      at::arange(rank * samples, (rank + 1) * samples, longs).repeat_interleave(views);
  image_to_place.RunOwnRows();
  if (image_to_place.extra_gradient.defined())
    gradients[3].copy_(image_to_place.extra_gradient.view({samples, views, -1, images.size(1)}).sum(1));

  at::Tensor sum = image_to_place.sum();
  const auto finish = [&](RowPass& pass, const at::Tensor& all_anchors, const PairPlaces& all_rows) {
    if (world == 1 || !shared.wants_gradients) return;
    pass.RunForeignRows(all_anchors, all_rows, GatherRowsCollective(pass.statistics_RK(), comm, stream),
                        rank);
  };
  finish(image_to_place, all_images, per_image);

  for (int64_t view = 0; two_ways && !at_once && view < views; ++view) {
    RowPass place_to_image(shared);
    place_to_image.share = config_.gps_to_image;
    place_to_image.anchors_RD = own;
    place_to_image.anchors_gradient = gradients[1];
    place_to_image.rows = batch.Narrow(rank * samples, samples);
    place_to_image.columns_CD = all_images;
    place_to_image.columns = per_image;
    place_to_image.batch_columns = all_images.size(0);
    place_to_image.own.push_back({rank * image_rows, image_rows, gradients[0]});
    place_to_image.positives_R = at::arange(rank * samples, (rank + 1) * samples, longs) * views + view;
    if (needs_draws())
      place_to_image.draws_R2 = image_to_place.draws_R2.view({samples, views, 2}).select(1, view);
    place_to_image.RunOwnRows();
    sum = sum + place_to_image.sum();
    finish(place_to_image, all_places, batch);
  }

  ContrastiveSums result = image_to_place.observed();
  const torch::autograd::AutoGradMode as_before(graph);
  const std::array<at::Tensor, kInputs> inputs = {rows.images_ID,     rows.places_BD, rows.candidates_SD,
                                                  rows.negatives_BMD, rows.log_scale, rows.bias};
  std::vector<at::Tensor> wanted, known;
  for (size_t i = 0; i < kInputs; ++i) {
    if (!gradients[i].defined()) continue;
    wanted.push_back(inputs[i]);
    known.push_back(gradients[i]);
  }
  result.sum = WithGradients(sum, wanted, known);
  return result;
}

}  // namespace graticule
