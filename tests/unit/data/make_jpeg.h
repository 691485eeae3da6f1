// JPEGs for tests, encoded by libjpeg from a gradient; and EXIF blocks put together by hand.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <jpeglib.h>

namespace graticule {

struct JpegKind {
  int components = 3;  // 1 gray, 3 colour, 4 CMYK
  bool progressive = false;
};

inline std::vector<uint8_t> MakeJpeg(int width, int height, JpegKind kind = {}, int phase = 0) {
  jpeg_compress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &buffer, &size);
  jpeg.image_width = width;
  jpeg.image_height = height;
  jpeg.input_components = kind.components;
  jpeg.in_color_space = kind.components == 1 ? JCS_GRAYSCALE : kind.components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  if (kind.progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<uint8_t> line(static_cast<size_t>(width) * kind.components);
  for (int y = 0; y < height; ++y) {
    for (size_t x = 0; x < line.size(); ++x) line[x] = static_cast<uint8_t>(x * 3 + y * 5 + phase);
    uint8_t* rows[1] = {line.data()};
    jpeg_write_scanlines(&jpeg, rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::vector<uint8_t> bytes(buffer, buffer + size);
  jpeg_destroy_compress(&jpeg);
  std::free(buffer);
  return bytes;
}

// Inserts an APP1 EXIF block (little-endian TIFF) after SOI: orientation, and a GPS position in whole degrees
// and minutes when lat_minutes is not 0 (signed minutes of arc).
inline std::vector<uint8_t> WithExif(const std::vector<uint8_t>& jpeg, int orientation, int lat_minutes = 0,
                                     int lon_minutes = 0) {
  std::vector<uint8_t> tiff;
  const auto u16 = [&](unsigned v) { tiff.insert(tiff.end(), {uint8_t(v), uint8_t(v >> 8)}); };
  const auto u32 = [&](unsigned v) { u16(v & 0xFFFF), u16(v >> 16); };
  const auto entry = [&](unsigned tag, unsigned type, unsigned count, unsigned value) {
    u16(tag), u16(type), u32(count), u32(value);
  };
  const bool gps = lat_minutes != 0;
  tiff.insert(tiff.end(), {'I', 'I', 42, 0, 8, 0, 0, 0});
  u16(gps ? 2 : 1);
  entry(0x0112, 3, 1, static_cast<unsigned>(orientation));
  const unsigned gps_at = 8 + 2 + 24 + 4;
  if (gps) entry(0x8825, 4, 1, gps_at);
  u32(0);
  if (gps) {
    const unsigned values_at = gps_at + 2 + 4 * 12 + 4;
    u16(4);
    entry(1, 2, 2, lat_minutes < 0 ? 'S' : 'N');
    entry(2, 5, 3, values_at);
    entry(3, 2, 2, lon_minutes < 0 ? 'W' : 'E');
    entry(4, 5, 3, values_at + 24);
    u32(0);
    for (const int minutes : {std::abs(lat_minutes), std::abs(lon_minutes)}) {
      u32(static_cast<unsigned>(minutes / 60)), u32(1), u32(static_cast<unsigned>(minutes % 60)), u32(1),
          u32(0), u32(0);
    }
  }
  std::vector<uint8_t> out(jpeg.begin(), jpeg.begin() + 2);
  const size_t length = 2 + 6 + tiff.size();
  out.insert(out.end(), {0xFF, 0xE1, uint8_t(length >> 8), uint8_t(length), 'E', 'x', 'i', 'f', 0, 0});
  out.insert(out.end(), tiff.begin(), tiff.end());
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

}  // namespace graticule
