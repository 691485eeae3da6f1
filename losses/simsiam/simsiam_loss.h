// SimSiam on image features: what a projector makes of one view is predicted from what it makes of another.
//
// Two views cost -(cos(p_1, z_2) + cos(p_2, z_1)) / 2, z from the projector and without a gradient where it
// is the target, p what the predictor makes of z; with more views the mean over neighbouring pairs (v,
// v + 1). Both networks normalise over the global batch, each view by itself (batch_norm.h). All that is
// made in forward, gradients included: gradients summed over ranks are those of one process with the whole
// batch.
//
// Legend: B samples of this rank (as many on every rank), V views, I = B * V rows, D width of the features.
// fp32 or fp64, one device, one thread. Failure: Error(kPeer) from the communicator.
// Source: Chen and He 2021 (SimSiam, arXiv 2011.10566) section 3; with CLIP: DeCLIP (arXiv 2110.05208).
#pragma once

#include <ATen/core/Tensor.h>

#include "base/comm/communicator.h"

namespace graticule {

// Collective. Sum over this rank's samples; divide by the samples of the global batch. features_ID: the views
// of a sample side by side; every sample counts, also one without a place. parameters: of three layers of the
// projector and the predictor's hidden one the weight [out, in] and the scale and shift of its batch norm,
// which the projector's last does not have; then weight and bias of the predictor's output
// (models/simsiam_heads.h). ReLU follows each norm but the projector's last.
at::Tensor SimSiamSumCollective(const at::Tensor& features_ID, int64_t views, at::TensorList parameters,
                                Communicator& comm, StreamHandle stream = nullptr);

}  // namespace graticule
