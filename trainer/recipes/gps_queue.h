// Places of former batches, first in, first out: further columns for every image of a batch.
//
// Coordinates are clean (noise is drawn anew each time they are used), kept with the keys that masks compare,
// the same on all ranks and part of every checkpoint: gps_queue.latlon f64 [S, 2], gps_queue.keys i64 [S, 3],
// gps_queue.ptr i64 [1] (the slot written next), gps_queue.filled i64 [1] (slots that hold a
// place of a batch).
// One thread. Source: GeoCLIP (arXiv 2309.16020) section 3.3.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "losses/contrastive/pair_places.h"
#include "models/vision_tower.h"

namespace graticule {

class GpsQueue {
 public:
  explicit GpsQueue(int64_t slots);  // all of them without a place

  // First contents: these places in turn, repeated where there are fewer than slots.
  void Fill(std::span<const LatLon> places);
  // Batches of any size; unknown places are passed over. keys: one per place, or none.
  void Push(std::span<const LatLon> places, std::span<const PairKeys> keys);

  int64_t slots() const { return latlon_.size(0); }
  std::vector<LatLon> places() const;
  std::vector<PairKeys> keys() const;
  std::vector<NamedTensor> tensors() const { return tensors_; }  // handles

 private:
  void Set(int64_t slot, LatLon place, const PairKeys& keys);

  at::Tensor latlon_, keys_, ptr_, filled_;
  std::vector<NamedTensor> tensors_;
};

}  // namespace graticule
