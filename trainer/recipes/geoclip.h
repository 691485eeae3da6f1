// The recipe `geoclip`: images and places in one space. A CLIP vision tower (frozen, or its stored outputs;
// GeoCLIP takes its projected image_embeds, model.pooling embeds)
// with a small MLP on one side, a location tower on the other; trained by a contrastive loss over the global
// batch, a queue of former places and drawn negatives. An image's place is the best of a gallery.
//
// Outputs of Encode: unit rows [rows, D], of images or of places; of images, where loss.pair asks for them,
// also the unit rows [rows, F] of the tower's output. The step shows Terms all images of the share and what
// PlacesCollective asked for. Parameters beyond the tower are named heads.image_mlp.*, heads.location.*
// (GeoCLIP's own names follow), heads.logit_scale (its logarithm), for siglip heads.logit_bias and, where
// views predict one another, heads.simsiam.*. Ten crops: Predict takes the mean of the crops' unit rows,
// which is the mean of their logits. Source: GeoCLIP (arXiv 2309.16020); docs/CONTRASTIVE.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "geo/gallery.h"
#include "losses/contrastive/contrastive_loss.h"
#include "losses/losses_config.h"
#include "models/image_mlp.h"
#include "models/location_encoder.h"
#include "models/model_config.h"
#include "trainer/optim/optim_config.h"
#include "trainer/recipe.h"
#include "trainer/recipes/best_places.h"
#include "trainer/recipes/gps_queue.h"
#include "trainer/recipes/nearest_term.h"
#include "trainer/recipes/step_places.h"

namespace graticule {

class CudaModule;

struct GeoclipOptions {
  ModelConfig model;
  GeoclipConfig geoclip;
  LossConfig loss;
  OptimConfig optim;
  std::shared_ptr<const Gallery> gallery;
  std::vector<LatLon> queue_start;          // first contents of the queue
  std::optional<VariogramCurve> variogram;  // for loss.pair
  uint64_t seed = 0;
  bool random_init = true;  // false: parameters are filled by the caller
  std::string precision = "fp32";
  c10::Device device = c10::kCPU;
  CudaModule* cuda = nullptr;
};

// What a configuration asks of the two heads.
ImageMlpShape MlpShapeOf(const ModelConfig& model, const GeoclipConfig& config);
LocationShape LocationShapeOf(const GeoclipConfig& config);

class GeoclipRecipe : public Recipe {
 public:
  explicit GeoclipRecipe(const GeoclipOptions& options);

  // The JSON object that goes with a run: the curve that the loss uses stays what it was at the start.
  static std::string StateOf(const VariogramCurve& curve);

  std::string name() const override { return "geoclip"; }
  std::map<std::string, double> Weights(const Batch& batch) const override;
  std::vector<at::Tensor> Encode(const EncoderInput& input) override;
  std::string TowerOutputName() const override;
  std::string TowerHash() const override;
  std::vector<LossTerm> Terms(const std::vector<at::Tensor>& outputs, const Batch& batch,
                              Communicator& comm) override;
  bool additive() const override { return false; }
  std::vector<LatLon> PlacesCollective(const Batch& share, int64_t first_sample,
                                       Communicator& control) override;
  void AfterUpdate() override;
  std::vector<std::vector<Prediction>> Predict(const std::vector<at::Tensor>& outputs, int k,
                                               double near_km) override;
  std::vector<ParameterGroup> Groups() override;
  std::vector<NamedTensor> Parameters() override;
  std::vector<NamedTensor> Buffers() override;
  std::string State() const override;
  VisionTower& tower() override { return tower_; }

  // [I, N]: of unit rows of images and places, on the CPU. Without a graph.
  at::Tensor Logits(const at::Tensor& images_ID, std::span<const LatLon> places);

  // The gallery with the embeddings of its rows, as a file; and back, where the file has those of the present
  // weights: otherwise they are made when they are needed.
  void SaveGallery(const std::string& path);
  void LoadGalleryEmbeddings(const std::string& path);

  ImageMlp& image_mlp() { return image_mlp_; }
  LocationEncoder& location() { return location_; }
  at::Tensor logit_scale() { return logit_scale_; }
  const Gallery& gallery() const { return *options_.gallery; }

 private:
  bool WeighsNegatives() const;
  int64_t FeatureWidth() const;  // 0: nobody asks for features
  void ShowFeaturesCollective(const at::Tensor& own_IF, Communicator& comm, StreamHandle stream);  // to step_
  int64_t LocationVersion();
  at::Tensor GalleryRows();                              // [M, D] unit rows
  at::Tensor GalleryColumns(const at::Tensor& rows_MD);  // [D, N]: of each place of choice_

  GeoclipOptions options_;
  VisionTower tower_;
  ImageMlp image_mlp_;
  LocationEncoder location_;
  at::Tensor logit_scale_, logit_bias_;  // 0-d; the bias undefined without siglip
  ContrastiveLoss loss_;
  GpsQueue queue_;
  StepPlacesMaker places_;
  StepPlaces step_;  // of the step in progress
  int64_t first_sample_ = 0;
  std::vector<NamedTensor> simsiam_;    // its heads; empty: off
  std::optional<NearestTerm> nearest_;  // none: off
  std::optional<PlaceChoice> choice_;   // made when it is first needed
  at::Tensor gallery_DN_;               // unit columns; undefined: to be made of the present weights
  int64_t gallery_version_ = 0;         // LocationVersion() of them
};

}  // namespace graticule
