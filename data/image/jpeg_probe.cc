#include "data/image/jpeg_probe.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

// jpeglib.h needs FILE from stdio.h before it.
#include <jpeglib.h>
#include <libexif/exif-data.h>

#include "data/record.h"

namespace graticule {
namespace {

struct ErrorTrap {
  jpeg_error_mgr base;
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void OnError(j_common_ptr info) {
  auto* trap = reinterpret_cast<ErrorTrap*>(info->err);
  info->err->format_message(info, trap->message);
  longjmp(trap->jump, 1);
}

std::optional<double> Degrees(const ExifContent* gps, ExifTag value_tag, ExifTag side_tag, char negative) {
  ExifEntry* value = exif_content_get_entry(const_cast<ExifContent*>(gps), value_tag);
  ExifEntry* side = exif_content_get_entry(const_cast<ExifContent*>(gps), side_tag);
  if (value == nullptr || side == nullptr || value->format != EXIF_FORMAT_RATIONAL ||
      value->components != 3 || value->size < 24 || side->size < 1) {
    return std::nullopt;
  }
  const ExifByteOrder order = exif_data_get_byte_order(value->parent->parent);
  double degrees = 0;
  for (int i = 0; i < 3; ++i) {
    const ExifRational part = exif_get_rational(value->data + 8 * i, order);
    constexpr double kUnit[] = {1.0, 60.0, 3600.0};
    // Cameras write 0/0 for seconds that they do not know.
    if (part.denominator != 0)
      degrees += static_cast<double>(part.numerator) / part.denominator / kUnit[i];
    else if (i == 0)
      return std::nullopt;
  }
  return side->data[0] == negative ? -degrees : degrees;
}

void ReadExif(const uint8_t* data, unsigned size, JpegHeader& info) {
  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> exif(exif_data_new_from_data(data, size),
                                                                   exif_data_unref);
  if (exif == nullptr) return;
  const ExifByteOrder order = exif_data_get_byte_order(exif.get());
  const ExifEntry* orientation = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (orientation != nullptr && orientation->format == EXIF_FORMAT_SHORT && orientation->size >= 2) {
    const int value = exif_get_short(orientation->data, order);
    if (value >= 1 && value <= 8) info.exif_orientation = value;
  }
  const ExifContent* gps = exif->ifd[EXIF_IFD_GPS];
  const auto lat = Degrees(gps, static_cast<ExifTag>(EXIF_TAG_GPS_LATITUDE),
                           static_cast<ExifTag>(EXIF_TAG_GPS_LATITUDE_REF), 'S');
  const auto lon = Degrees(gps, static_cast<ExifTag>(EXIF_TAG_GPS_LONGITUDE),
                           static_cast<ExifTag>(EXIF_TAG_GPS_LONGITUDE_REF), 'W');
  // (0, 0) is what devices write that have no fix.
  if (lat && lon && !(*lat == 0 && *lon == 0)) info.exif_place = LatLon{*lat, *lon};
}

// The parse itself; C only between setjmp and the end, so that longjmp skips no destructor.
bool ReadHeader(jpeg_decompress_struct& jpeg, ErrorTrap& trap, std::span<const uint8_t> bytes) {
  if (setjmp(trap.jump) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, bytes.data(), bytes.size());
  jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xFFFF);
  return jpeg_read_header(&jpeg, TRUE) == JPEG_HEADER_OK;
}

}  // namespace

std::optional<JpegHeader> ProbeJpeg(std::span<const uint8_t> bytes, std::string* why) {
  if (bytes.size() < 4 || bytes[0] != 0xFF || bytes[1] != 0xD8) {
    if (why != nullptr) *why = bytes.empty() ? "empty file" : "not a JPEG";
    return std::nullopt;
  }
  jpeg_decompress_struct jpeg = {};
  ErrorTrap trap = {};
  jpeg.err = jpeg_std_error(&trap.base);
  trap.base.error_exit = OnError;
  trap.base.emit_message = [](j_common_ptr, int) {};
  const bool good = ReadHeader(jpeg, trap, bytes);
  JpegHeader info;
  if (good) {
    info.width = static_cast<uint16_t>(jpeg.image_width);
    info.height = static_cast<uint16_t>(jpeg.image_height);
    info.components = jpeg.num_components;
    if (jpeg.progressive_mode) info.flags |= kProgressive;
    if (jpeg.num_components == 1) info.flags |= kGray;
    if (jpeg.num_components == 4) info.flags |= kCmyk;
    for (const jpeg_marker_struct* m = jpeg.marker_list; m != nullptr; m = m->next) {
      if (m->data_length < 6 || std::memcmp(m->data, "Exif\0\0", 6) != 0) continue;
      ReadExif(m->data, m->data_length, info);
      break;
    }
    if (info.exif_orientation > 1) info.flags |= kNeedsRotation;
    // Entropy-coded bytes never contain FF D9, so the first image is whole if one follows its header.
    const std::string_view rest(reinterpret_cast<const char*>(jpeg.src->next_input_byte),
                                jpeg.src->bytes_in_buffer);
    if (rest.rfind("\xFF\xD9") == std::string_view::npos) info.flags |= kTruncated;
  } else if (why != nullptr) {
    *why = trap.message[0] != 0 ? trap.message : "no image before the end of the file";
  }
  jpeg_destroy_decompress(&jpeg);
  if (!good) return std::nullopt;
  return info;
}

}  // namespace graticule
