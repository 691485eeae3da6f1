// Places of former batches, first in, first out: further columns for every image of a batch.
//
// Coordinates are clean (noise is drawn anew each time they are used), kept with the keys that masks compare,
// the same on all ranks and part of every checkpoint: gps_queue.latlon f64 [S, 2], gps_queue.keys i64 [S, 3],
// gps_queue.ptr i64 [1] (the slot written next), gps_queue.filled i64 [1] (slots that hold a place of a
// batch), and on request gps_queue.feat f16 [S, F]: unit rows, what the frozen tower makes of the image that
// a place belongs to, zeros where a slot has none. One thread. Source: GeoCLIP (arXiv 2309.16020)
// section 3.3.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <span>
#include <vector>

#include "losses/contrastive/pair_places.h"
#include "models/vision_tower.h"

namespace graticule {

class GpsQueue {
 public:
  // All slots without a place. features: F, on that device; 0: none are kept.
  explicit GpsQueue(int64_t slots, int64_t features = 0, c10::Device device = c10::kCPU);

  // First contents: these places in turn, repeated where there are fewer than slots.
  void Fill(std::span<const LatLon> places);
  // Batches of any size; unknown places are passed over. keys: one per place, or none. features_NF: of each
  // place, where the queue keeps them.
  void Push(std::span<const LatLon> places, std::span<const PairKeys> keys,
            const at::Tensor& features_NF = {});

  int64_t slots() const { return latlon_.size(0); }
  std::vector<LatLon> places() const;
  std::vector<PairKeys> keys() const;
  const at::Tensor& features_SF() const { return features_; }    // undefined: none are kept
  std::vector<NamedTensor> tensors() const { return tensors_; }  // handles

 private:
  void Set(int64_t slot, LatLon place, const PairKeys& keys);

  at::Tensor latlon_, keys_, ptr_, filled_, features_;
  std::vector<NamedTensor> tensors_;
};

}  // namespace graticule
