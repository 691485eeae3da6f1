// Embeddings of former places, first in, first out, and the search for the one most alike to a place's own.
//
// Kept with their clean coordinates, the same on all ranks and part of every checkpoint: nn_bank.emb f32
// [S, D] on the device, nn_bank.latlon f64 [S, 2] (NaN: the slot is empty), nn_bank.ptr i64 [1] (the slot
// written next). They carry no gradient and grow old: an entry is S samples behind at most. One thread.
// Distances as in losses/contrastive/pair_places.h. Source: DeCLIP (arXiv 2110.05208) section 3.3.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geo/latlon.h"
#include "models/vision_tower.h"

namespace graticule {

class NeighbourBank {
 public:
  NeighbourBank(int64_t slots, int64_t width, c10::Device device);

  // Batches of any size; rows without a place are passed over.
  void Push(const at::Tensor& rows_ND, std::span<const LatLon> places);

  // For each row the slot with the largest product among those from min_km to max_km away from its place, the
  // first of equals; -1: none. int64 [B]. Memory: O(B), the slots are taken block by block.
  at::Tensor Nearest(const at::Tensor& rows_BD, std::span<const LatLon> places, double min_km,
                     double max_km) const;

  at::Tensor Rows(const at::Tensor& slots_B) const;  // [B, D]; of slot -1 an arbitrary one
  LatLon place(int64_t slot) const;
  std::vector<NamedTensor> tensors() const;  // handles

 private:
  int64_t slots() const { return emb_SD_.size(0); }

  at::Tensor emb_SD_, latlon_S2_, ptr_;
};

}  // namespace graticule
