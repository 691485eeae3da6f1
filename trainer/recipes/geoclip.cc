#include "trainer/recipes/geoclip.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "losses/batch_collectives.h"
#include "losses/simsiam/simsiam_loss.h"
#include "models/frozen_tower.h"
#include "models/simsiam_heads.h"
#include "trainer/cuda_module.h"
#include "trainer/optim/parameter_groups.h"

namespace graticule {
namespace {

std::optional<uint64_t> SeedOf(const GeoclipOptions& options) {
  return options.random_init ? std::optional<uint64_t>(options.seed) : std::nullopt;
}

at::Tensor Unit(const at::Tensor& rows) {
  return rows / rows.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

}  // namespace

ImageMlpShape MlpShapeOf(const ModelConfig& model, const GeoclipConfig& config) {
  const int64_t inputs = TowerOutputWidth(model.vision, TowerOutputOf(model.pooling));
  return {inputs, config.hidden > 0 ? config.hidden : inputs, config.outputs};
}

LocationShape LocationShapeOf(const GeoclipConfig& config) {
  const LocationConfig& l = config.location;
  return {l.sigmas, l.features, l.width, config.outputs, l.projection, l.parity};
}

GeoclipRecipe::GeoclipRecipe(const GeoclipOptions& options)
    : options_(options),
      tower_(options.model.vision, SeedOf(options)),
      image_mlp_(MlpShapeOf(options.model, options.geoclip), SeedOf(options)),
      location_(LocationShapeOf(options.geoclip), SeedOf(options)),
      loss_(options.loss.kind, options.loss.contrastive, 0, options.variogram),
      queue_(options.geoclip.negatives.queue, FeatureWidth(), options.device),
      places_(options.geoclip.negatives, options.geoclip.views, loss_.needs_draws(), options.seed,
              options.gallery) {
  const GeoclipConfig& config = options.geoclip;
  const std::string& pooling = options.model.pooling;
  tower_.Freeze(options.model.frozen_layers, /*pooler_used=*/pooling == "cls",
                /*embeds_used=*/pooling == "embeds");
  tower_.set_recompute(options.model.recompute);
  if (options.precision == "bf16") tower_.set_compute_dtype(at::kBFloat16);
  std::vector<bool> frozen(config.location.sigmas.size(), false);
  for (const int64_t capsule : config.location.frozen) frozen[static_cast<size_t>(capsule)] = true;
  location_.Freeze(frozen);
  const at::TensorOptions floats = at::TensorOptions(at::kFloat);
  logit_scale_ = at::full({}, std::log(config.logit_scale.StartFor(options.loss.kind)), floats);
  if (loss_.has_bias()) logit_bias_ = at::full({}, config.logit_scale.bias, floats);
  if (config.simsiam.weight > 0)
    simsiam_ =
        MakeSimSiamHeads({config.outputs, config.simsiam.width, config.simsiam.hidden}, SeedOf(options));
  if (config.nearest.weight > 0)
    nearest_.emplace(config.nearest, options.loss.contrastive.mask, config.outputs, options.device);
  if (options.device.type() != c10::kCPU) {
    tower_.To(options.device);
    image_mlp_.To(options.device);
    location_.To(options.device);
    for (NamedTensor& p : simsiam_) p.tensor.set_data(p.tensor.detach().to(options.device));
    logit_scale_ = logit_scale_.to(options.device);
    if (logit_bias_.defined()) logit_bias_ = logit_bias_.to(options.device);
  }
  // Triplets know no scale: nothing would ever reach it.
  logit_scale_.requires_grad_(loss_.uses_scale() && !config.logit_scale.frozen);
  if (logit_bias_.defined()) logit_bias_.requires_grad_(true);
  queue_.Fill(options.queue_start);
}

std::string GeoclipRecipe::TowerOutputName() const { return TowerOutputOf(options_.model.pooling); }

std::string GeoclipRecipe::TowerHash() const { return TowerSha256(tower_); }

bool GeoclipRecipe::WeighsNegatives() const {
  const std::string& kind = options_.loss.kind;
  return (kind.starts_with("weighted") || kind == "hcl") && options_.loss.contrastive.beta > 0;
}

std::map<std::string, double> GeoclipRecipe::Weights(const Batch& batch) const {
  double rows = 0;
  for (const LatLon place : batch.places) rows += IsValid(place) ? static_cast<double>(batch.views) : 0;
  std::map<std::string, double> weights;
  for (const char* name : {"top1", "positive", "left_out"}) weights[name] = rows;
  if (loss_.uses_scale()) weights["scale"] = rows;
  const std::string& kind = options_.loss.kind;
  if (kind == "hcl" || kind == "dcl") weights["floored"] = rows;
  if (WeighsNegatives()) weights["max_weight"] = rows;
  weights[kind] = rows;
  const auto samples = static_cast<double>(batch.size), views = static_cast<double>(batch.views);
  if (!simsiam_.empty()) weights["simsiam"] = samples;
  if (nearest_) {
    weights["nearest"] = samples * views;
    weights["neighbours"] = rows / views;
  }
  return weights;
}

int64_t GeoclipRecipe::FeatureWidth() const {
  return loss_.needs_features() ? TowerOutputWidth(options_.model.vision, TowerOutputName()) : 0;
}

std::vector<at::Tensor> GeoclipRecipe::Encode(const EncoderInput& input) {
  if (!input.places.empty()) return {Unit(location_.Forward(input.places))};
  const at::Tensor features = input.embeddings_BD.defined()
                                  ? input.embeddings_BD
                                  : TowerOutput(tower_, input.images_B3HW, TowerOutputName());
  std::vector<at::Tensor> outputs = {Unit(image_mlp_.Forward(features))};
  if (loss_.needs_features()) outputs.push_back(Unit(features.detach().to(at::kFloat)));
  return outputs;
}

void GeoclipRecipe::ShowFeaturesCollective(const at::Tensor& own_IF, Communicator& comm,
                                           StreamHandle stream) {
  step_.known.image_features = GatherRowsCollective(own_IF, comm, stream);
  // What the thesis' variants put into the slots comes from the gallery.
  if (options_.geoclip.negatives.thesis == "none") step_.known.candidate_features = queue_.features_SF();
}

std::vector<LatLon> GeoclipRecipe::PlacesCollective(const Batch& share, int64_t first_sample,
                                                    Communicator& control) {
  step_ = places_.MakeCollective(share, first_sample, queue_, control);
  first_sample_ = first_sample;
  return step_.encode;
}

std::vector<LossTerm> GeoclipRecipe::Terms(const std::vector<at::Tensor>& outputs, const Batch& batch,
                                           Communicator& comm) {
  const at::Tensor &images = outputs.front(), &places = outputs.back();
  const int64_t samples = step_.samples, slice = step_.slice, own = step_.own;
  ContrastiveRows rows;
  rows.images_ID = images;
  rows.places_BD = places.narrow(0, 0, samples);
  if (slice > 0) rows.candidates_SD = places.narrow(0, samples, slice);
  if (own > 0) rows.negatives_BMD = places.narrow(0, samples + slice, samples * own).view({samples, own, -1});
  if (loss_.uses_scale()) rows.log_scale = logit_scale_;
  rows.bias = logit_bias_;
  const StreamHandle stream = options_.cuda != nullptr ? options_.cuda->ComputeStream() : nullptr;
  if (loss_.needs_features()) ShowFeaturesCollective(outputs.at(1), comm, stream);
  const ContrastiveSums sums = loss_.SumCollective(rows, step_.known, comm, stream);
  const double mine = Weights(batch).at("top1");
  std::vector<LossTerm> terms = {{options_.loss.kind, sums.sum, options_.geoclip.main_weight},
                                 {"top1", sums.correct, 0},
                                 {"positive", sums.positive, 0},
                                 {"left_out", sums.left_out, 0}};
  if (loss_.uses_scale()) terms.push_back({"scale", logit_scale_.detach().exp() * mine, 0});
  const std::string& kind = options_.loss.kind;
  if (kind == "hcl" || kind == "dcl") terms.push_back({"floored", sums.floored, 0});
  if (WeighsNegatives()) terms.push_back({"max_weight", sums.largest_weight, 0});
  if (nearest_) {
    const NearestSums near = nearest_->SumCollective(rows, step_.known, first_sample_, comm, stream);
    terms.push_back({"nearest", near.sum, options_.geoclip.nearest.weight});
    terms.push_back({"neighbours", near.found, 0});
  }
  if (!simsiam_.empty()) {
    std::vector<at::Tensor> heads;
    for (const NamedTensor& p : simsiam_) heads.push_back(p.tensor);
    const at::Tensor sum = SimSiamSumCollective(images, batch.views, heads, comm, stream);
    terms.push_back({"simsiam", sum, options_.geoclip.simsiam.weight});
  }
  return terms;
}

void GeoclipRecipe::AfterUpdate() {
  const torch::autograd::AutoGradMode no_grad(false);
  const double max = options_.geoclip.logit_scale.max;
  if (max > 0 && logit_scale_.requires_grad()) logit_scale_.clamp_(0, std::log(max));
  at::Tensor features = step_.known.image_features;  // a place has those of its first view
  if (features.defined()) features = features.unflatten(0, {std::ssize(step_.known.batch), -1}).select(1, 0);
  queue_.Push(step_.known.batch, step_.known.batch_keys, features);
  if (nearest_) nearest_->Push();
  step_ = {};
  gallery_DN_ = at::Tensor();
}

at::Tensor GeoclipRecipe::Logits(const at::Tensor& images_ID, std::span<const LatLon> places) {
  const torch::autograd::AutoGradMode no_grad(false);
  const at::Tensor towards = Unit(location_.Forward(places));
  return (at::matmul(images_ID, towards.t()) * logit_scale_.exp()).to(at::kCPU).contiguous();
}

// Every write moves a version, be it an update or an exchange with averages.
int64_t GeoclipRecipe::LocationVersion() {
  int64_t version = 0;
  for (const NamedTensor& p : location_.parameters()) version += p.tensor._version();
  return version;
}

at::Tensor GeoclipRecipe::GalleryRows() {
  constexpr int64_t kAtATime = 8192;  // three layers of 1,024 for each: 100 MB
  const std::vector<LatLon>& all = options_.gallery->places();
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < std::ssize(all); begin += kAtATime) {
    const int64_t count = std::min(kAtATime, std::ssize(all) - begin);
    parts.push_back(Unit(location_.Forward({all.data() + begin, static_cast<size_t>(count)})));
  }
  return at::cat(parts);
}

at::Tensor GeoclipRecipe::GalleryColumns(const at::Tensor& rows_MD) {
  if (!choice_) choice_ = PlaceChoice::OfGallery(options_.gallery->places());
  gallery_version_ = LocationVersion();
  const at::Tensor kept_N = at::tensor(choice_->rows(), at::kLong).to(rows_MD.device());
  return rows_MD.index_select(0, kept_N).t().contiguous();
}

void GeoclipRecipe::SaveGallery(const std::string& path) {
  const torch::autograd::AutoGradMode no_grad(false);
  const at::Tensor rows_MD = GalleryRows().to(at::kCPU, at::kFloat).contiguous();
  const float* values = rows_MD.const_data_ptr<float>();
  const GalleryEmbeddings embeddings{
      LocationSha256(location_), rows_MD.size(1), {values, values + rows_MD.numel()}};
  options_.gallery->Save(path, &embeddings);
}

void GeoclipRecipe::LoadGalleryEmbeddings(const std::string& path) {
  const torch::autograd::AutoGradMode no_grad(false);
  auto stored = options_.gallery->LoadEmbeddings(path, LocationSha256(location_), options_.geoclip.outputs);
  if (!stored) return;
  const at::Tensor rows_MD =
      at::from_blob(stored->rows_MD.data(), {options_.gallery->size(), stored->width}, at::kFloat);
  gallery_DN_ = GalleryColumns(rows_MD.to(options_.device));
}

std::vector<std::vector<Prediction>> GeoclipRecipe::Predict(const std::vector<at::Tensor>& outputs, int k,
                                                            double near_km) {
  const torch::autograd::AutoGradMode no_grad(false);
  if (!gallery_DN_.defined() || gallery_version_ != LocationVersion())
    gallery_DN_ = GalleryColumns(GalleryRows());
  const at::Tensor logits = at::matmul(outputs.at(0), gallery_DN_) * logit_scale_.exp();
  return choice_->Best(logits, k, near_km);
}

std::string GeoclipRecipe::State() const { return options_.variogram ? StateOf(*options_.variogram) : "{}"; }

std::string GeoclipRecipe::StateOf(const VariogramCurve& curve) {
  return fmt::format(R"({{"variogram": {}}})", VariogramJson(curve, nlohmann::ordered_json::object()));
}

std::vector<ParameterGroup> GeoclipRecipe::Groups() {
  return BuildParameterGroups(Parameters(), options_.model.vision.layers, options_.optim);
}

std::vector<NamedTensor> GeoclipRecipe::Parameters() {
  std::vector<NamedTensor> all = tower_.parameters();
  for (const NamedTensor& p : image_mlp_.parameters()) all.push_back({"heads.image_mlp." + p.name, p.tensor});
  for (const NamedTensor& p : location_.parameters()) all.push_back({"heads.location." + p.name, p.tensor});
  all.push_back({"heads.logit_scale", logit_scale_});
  if (logit_bias_.defined()) all.push_back({"heads.logit_bias", logit_bias_});
  for (const NamedTensor& p : simsiam_) all.push_back({"heads.simsiam." + p.name, p.tensor});
  return all;
}

std::vector<NamedTensor> GeoclipRecipe::Buffers() {
  std::vector<NamedTensor> all;
  if (queue_.slots() > 0) all = queue_.tensors();
  for (const NamedTensor& t : nearest_ ? nearest_->tensors() : std::vector<NamedTensor>{}) all.push_back(t);
  return all;
}

}  // namespace graticule
