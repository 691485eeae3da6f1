// JPEGs decoded by nvJPEG in groups, cropped and resized by data/cuda/crop_resize.h. Part of the CUDA module.
//
// The hardware engines decode where the GPU has them (A100, H100 and later), kernels elsewhere; chroma is
// interpolated as libjpeg does. libnvjpeg.so.13 is opened at run time: the torch wheel does not bring it, and
// only who asks for it needs it. A session owns a stream, a decoder and device memory for its largest group,
// bounded by kGroupPixels.
//
// An image is done when nvJPEG took it and its pixels were seen to arrive. What nvJPEG refuses, or a group
// that it gives up, is left to the caller. Failure: Error(kUsage) without the library; Error(kBug) for CUDA
// errors.
#pragma once

#include <memory>

#include "data/image/jpeg_device.h"

namespace graticule {

// Decoded at a time by one session, 100 MB; a larger image is left to the caller.
inline constexpr int64_t kGroupPixels = 32 << 20;

// On the GPU `device`. Must be destroyed after its sessions.
std::unique_ptr<JpegDevice> OpenNvjpeg(int device);

}  // namespace graticule
