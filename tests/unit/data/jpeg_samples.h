// JPEG files made on the spot for tests: colour gradients that depend on a seed, so that images can be told
// apart.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

extern "C" {
#include <jpeglib.h>
}

namespace graticule {

inline uint8_t SamplePixel(int x, int y, int channel, int seed) {
  const int value = channel == 0 ? seed * 37 + x : channel == 1 ? seed * 11 + y : seed * 5 + (x + y) / 2;
  const int wave = value % 512;
  return static_cast<uint8_t>(wave < 256 ? wave : 511 - wave);  // continuous, so that it survives compression
}

inline uint8_t NoisePixel(int x, int y, int channel) {
  uint32_t hash = static_cast<uint32_t>(x * 3 + channel) * 2654435761u ^ static_cast<uint32_t>(y) * 40503u;
  hash ^= hash >> 15;
  return static_cast<uint8_t>((hash * 2246822519u) >> 24);
}

// How a file is coded: sampling of the first component against the others, restart markers, gray.
struct SampleCoding {
  int h = 2, v = 2, restart_rows = 0;
  bool gray = false;
  bool noise = false;  // pixels that know nothing of their neighbours
};

inline std::vector<uint8_t> SampleJpeg(int width, int height, int seed, int quality = 95,
                                       bool progressive = false, const SampleCoding& coding = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  if (coding.gray) jpeg_set_colorspace(&info, JCS_GRAYSCALE);
  info.comp_info[0].h_samp_factor = coding.gray ? 1 : coding.h;
  info.comp_info[0].v_samp_factor = coding.gray ? 1 : coding.v;
  info.restart_in_rows = coding.restart_rows;
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  std::vector<uint8_t> row(size_t{3} * width);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c)
        row[3 * x + c] = coding.noise ? NoisePixel(x, y, c) : SamplePixel(x, y, c, seed);
    }
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  std::vector<uint8_t> out(bytes, bytes + size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return out;
}

}  // namespace graticule
