// A device that decodes JPEGs in groups and makes crops of them, as the loader sees it. The CUDA module has
// one (trainer/cuda_module.h).
//
// Decode never throws for what is in a file: a JPEG that the device cannot make is left with done = false,
// and the caller decodes it on the CPU, whose verdict on bad files alone counts. Failure: Error from a device
// that is missing or broken. Thread rule: NewSession from any thread, a Session for one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "data/image/crop_tables.h"

namespace graticule {

struct DeviceJpeg {
  std::span<const uint8_t> bytes;    // JpegInfo::plain, upright or to be taken as it is stored
  int width = 0, height = 0;         // as the header says
  size_t first_crop = 0, crops = 0;  // which ones of the tables
  uint8_t* out = nullptr;            // host memory: the crops one after the other, RGB, rows without gaps
  bool done = false;                 // out: the crops are there
};

class JpegDevice {
 public:
  class Session {
   public:
    virtual ~Session() = default;
    // Blocks until the crops are in host memory.
    virtual void Decode(std::span<DeviceJpeg> jpegs, const CropTables& tables) = 0;
  };
  virtual ~JpegDevice() = default;
  virtual std::unique_ptr<Session> NewSession() = 0;
};

}  // namespace graticule
