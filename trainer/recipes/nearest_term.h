// The nearest-neighbour term of the recipe `geoclip`: each image is also to find the bank's place that is
// most alike to its own, min_km to max_km away from it, among such neighbours of the whole batch.
//
// Cost of an image: infonce from images to places, its neighbour's embedding as positive, those of the other
// samples as negatives, at the main loss's scale and with its masks, which take neighbours by their own
// coordinates and the keys of the samples that they stand for. Embeddings of the bank carry no gradient:
// images alone (and the scale) learn from them. Samples without a neighbour are no rows, and their columns
// nobody's negatives. Memory: O(rows of this rank) beside the bank. One thread. Legend as in
// losses/contrastive/contrastive_loss.h. Source: DeCLIP (arXiv 2110.05208) section 3.3.
#pragma once

#include <cstdint>
#include <vector>

#include "losses/contrastive/contrastive_loss.h"
#include "trainer/recipes/declip_config.h"
#include "trainer/recipes/neighbour_bank.h"

namespace graticule {

struct NearestSums {
  // Over this rank's rows, times samples / samples with a neighbour (both of the global batch): how many have
  // one is known after the search alone, so the weight to divide by is that of all. 0 where nobody has one.
  at::Tensor sum;
  at::Tensor found;  // samples of this rank with a neighbour
};

class NearestTerm {
 public:
  NearestTerm(const NearestConfig& config, const MaskConfig& mask, int64_t width, c10::Device device);

  // Collective. rows, known: those of the main loss, without its candidates. first_sample: of the run, before
  // this step. Divide the sum by the image rows of the global batch.
  NearestSums SumCollective(const ContrastiveRows& rows, const ContrastivePlaces& known, int64_t first_sample,
                            Communicator& comm, StreamHandle stream = nullptr);
  // After the update: the places that were gathered last enter the bank.
  void Push();

  std::vector<NamedTensor> tensors() const { return bank_.tensors(); }

 private:
  const NearestConfig config_;
  const ContrastiveLoss loss_;
  NeighbourBank bank_;
  at::Tensor gathered_GD_;  // undefined: nothing to enter
  std::vector<LatLon> places_;
};

}  // namespace graticule
