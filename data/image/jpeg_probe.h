// What a JPEG's header says, without decoding it: size, kind, EXIF orientation and, on request, its EXIF
// position.
//
// Only the bytes up to the first scan are parsed, so the work is bounded by the length of the headers. Of a
// file that holds several images (MPO) the first one counts. Pure function, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "geo/latlon.h"

namespace graticule {

struct JpegHeader {
  uint16_t width = 0, height = 0;  // as stored, before EXIF orientation
  uint8_t flags = 0;               // ImageFlag bits (data/record.h)
  int components = 0;
  int exif_orientation = 1;  // 1..8, 1 = upright
  std::optional<LatLon> exif_place;
};

// nullopt when the bytes are not a JPEG with a readable header; `why` (if given) then says what is wrong.
std::optional<JpegHeader> ProbeJpeg(std::span<const uint8_t> bytes, std::string* why = nullptr);

}  // namespace graticule
