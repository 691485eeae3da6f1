// Decodes a JPEG file into RGB, byte for byte as Pillow's Image.open(f).convert("RGB") does: full size, the
// accurate integer inverse DCT, smooth chroma upsampling; gray is repeated, CMYK and YCCK are read as Adobe
// writes them. A multi-picture file (MPO) gives its first image.
//
// Input is untrusted: size, scans and memory are bounded before work starts. Every failure is Error(kData)
// that says what was found; nothing outside the decoder changes except the contents of `out`. A decoder owns
// its libjpeg state and scratch memory: one per thread, reused for image after image.
//
// A caller that needs a part only says so with `part`: of a baseline file in one scan, whole and upright,
// only the pixels around that part are made (the entropy code before it is still read), byte for byte those
// of the whole image. `reduce` asks for a half, a quarter or an eighth of the size straight out of the
// inverse DCT, which is faster and no longer what Pillow gives. Whether a file is bad never depends on the
// part.
//
//   JpegDecoder decoder;
//   JpegInfo info = decoder.Decode(bytes, {.apply_orientation = true}, image);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "data/image/image.h"

namespace graticule {

struct JpegLimits {
  int64_t max_pixels = 40'000'000;
  int64_t max_memory = 128 << 20;  // bytes: output and libjpeg's buffers together
  int max_scans = 100;             // a progressive photograph has about ten
};

// What a caller needs of an image: `box` in pixels of the upright image; reduce is 1, 2, 4 or 8.
struct JpegPart {
  Box box;
  int reduce = 1;
};

struct JpegInfo;

struct JpegOptions {
  bool apply_orientation = false;
  bool allow_truncated = false;  // true: what is missing stays gray and info.truncated is set
  JpegLimits limits;
  // Asked once the size is known (upright width and height); empty: the whole image.
  std::function<JpegPart(int width, int height)> part;
};

struct JpegInfo {
  int width = 0, height = 0;  // as stored, before orientation
  int components = 0;
  int orientation = 1;  // as the file says, applied or not
  bool progressive = false;
  // Baseline YCbCr in one scan, with its end marker in place: what a device decodes
  // (data/image/jpeg_device.h).
  bool plain = false;
  bool truncated = false;  // the bytes ended before the last row
  int64_t warnings = 0;    // recoverable damage that libjpeg reported
  // What `out` shows: this box of the upright image, reduced so many times. The box holds the part that was
  // asked for, and its corner is at a multiple of `reduce`.
  Box shown;
  int reduce = 1;
};

class JpegDecoder {
 public:
  JpegDecoder();
  ~JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  JpegInfo Decode(std::span<const uint8_t> jpeg, const JpegOptions& options, Image& out);
  // Only the header: dimensions, components, coding and orientation; the limits hold here too.
  JpegInfo ReadHeader(std::span<const uint8_t> jpeg, const JpegOptions& options = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graticule
