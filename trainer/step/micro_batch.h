// Parts of a loader's batch, and its images as the floats that a tower takes.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>

#include "data/batch.h"

namespace graticule {

// Rows [begin, begin + count) of `batch`. Labels are copied, images are shared: the part is valid as long as
// `batch`.
Batch SliceBatch(const Batch& batch, int64_t begin, int64_t count);

// CLIP's normalisation, (x / 255 - mean) / std per channel, as [B * V, 3, H, W] fp32 on `device`.
at::Tensor NormalisedImages(const Batch& batch, c10::Device device);

// Channel order RGB; source: OpenAI CLIP's preprocessing.
inline constexpr double kClipMean[3] = {0.48145466, 0.4578275, 0.40821073};
inline constexpr double kClipStd[3] = {0.26862954, 0.26130258, 0.27577711};

}  // namespace graticule
