// What a loader hands to a step: host buffers with a leading B. Missing labels are masked by sentinel:
// class labels -1, floats NaN, keys 0. Buffers belong to the loader's ring and are valid until Release.
// Either the images are there, or the embeddings that stand for them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/safetensors.h"
#include "data/record.h"
#include "geo/latlon.h"

namespace graticule {

// B = batch, V = views, H = W = size, C = 3.
struct Batch {
  int64_t size = 0;        // B
  int64_t views = 1;       // V
  int64_t image_size = 0;  // H = W
  uint8_t* images_BVHWC = nullptr;
  uint8_t* embeddings_BVD = nullptr;
  int64_t embedding_dim = 0;  // D
  SafeDType embedding_dtype = SafeDType::kF32;
  std::vector<LatLon> places;     // [B]; NaN where unknown
  std::vector<int64_t> position;  // [B] global position in the epoch; -1 = padding (evaluation tail)
  std::vector<int64_t> record;    // [B] dataset record actually served
  std::vector<int32_t> climate;   // [B] 0..29 (Beck code - 1), -1 masked
  std::vector<int32_t> month;     // [B] 0..11, -1 masked
  std::vector<float> aux_B6;      // [B*6] raw physical units, NaN masked
  std::vector<RecordKeys> keys;   // [B]; empty unless LoaderOptions::keys
  double wait_s = 0;              // time the consumer waited for this batch
};

}  // namespace graticule
