// The places that one step of the recipe `geoclip` compares images with: those of the global batch, of the
// queue, and drawn negatives; with noise for the location tower, without it for masks.
//
// Every draw is keyed by (seed, sample, purpose), a sample's number counting all samples of the run, so the
// step is the same on any number of ranks. Candidates that all images share are cut into equal slices, one
// per rank, the last ones padded with NaN. Legend as in losses/contrastive/contrastive_loss.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/comm/communicator.h"
#include "data/batch.h"
#include "geo/band_sampler.h"
#include "geo/gallery.h"
#include "geo/place_index.h"
#include "losses/contrastive/contrastive_loss.h"
#include "trainer/recipes/geoclip_config.h"
#include "trainer/recipes/gps_queue.h"

namespace graticule {

struct StepPlaces {
  ContrastivePlaces known;
  std::vector<LatLon> encode;               // this rank's: B of the batch, S candidates, B * M negatives
  int64_t samples = 0, slice = 0, own = 0;  // B, S, M
};

class StepPlacesMaker {
 public:
  // gallery: that negatives are drawn from; may be null without bands.
  StepPlacesMaker(const NegativesConfig& config, int64_t views, bool needs_draws, uint64_t seed,
                  std::shared_ptr<const Gallery> gallery);

  // Collective. first_sample: samples of the run before this step.
  StepPlaces MakeCollective(const Batch& share, int64_t first_sample, const GpsQueue& queue,
                            Communicator& control) const;

 private:
  // Where the keys of draws begin: samples of the run before the step, and before this rank's share of it.
  struct Draws {
    uint64_t step = 0, own = 0;
  };
  void DrawCollective(StepPlaces& step, const Batch& share, const Draws& draws, Communicator& control) const;
  void Encode(StepPlaces& step, const Batch& share, const Draws& draws, int rank) const;
  double NearShare(int64_t first_sample) const;
  void ReplaceQueue(StepPlaces& step, uint64_t first_sample) const;

  const NegativesConfig config_;
  const int64_t views_;
  const bool needs_draws_;
  const uint64_t seed_;
  std::shared_ptr<const Gallery> gallery_;
  std::unique_ptr<const BandSampler> bands_;
  std::unique_ptr<const PlaceIndex> index_;  // for config.thesis
};

}  // namespace graticule
