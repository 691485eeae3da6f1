// Parts of a loader's batch, and its rows as the floats that a recipe encodes.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>

#include "base/comm/communicator.h"
#include "data/batch.h"
#include "trainer/recipe.h"

namespace graticule {

class CudaModule;

// Rows [begin, begin + count) of `batch`. Labels are copied, images and embeddings are shared: the part is
// valid as long as `batch`.
Batch SliceBatch(const Batch& batch, int64_t begin, int64_t count);

struct StagedInput {
  EncoderInput input;  // B = batch * views
  WorkPtr copied;      // done when the batch's rows may be overwritten; null: they may be at once
};

// Images get CLIP's normalisation, (x / 255 - mean) / std per channel. On a GPU (cuda is then set) their
// bytes travel on a stream of their own and become floats there; returns without waiting for that.
StagedInput StageInput(const Batch& batch, c10::Device device, CudaModule* cuda = nullptr);

// Channel order RGB; source: OpenAI CLIP's preprocessing.
inline constexpr double kClipMean[3] = {0.48145466, 0.4578275, 0.40821073};
inline constexpr double kClipStd[3] = {0.26862954, 0.26130258, 0.27577711};

}  // namespace graticule
