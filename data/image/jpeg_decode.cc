#include "data/image/jpeg_decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string>

extern "C" {
#include <jpeglib.h>
}
#include <jerror.h>

#include "base/error.h"
#include "data/image/exif.h"

namespace graticule {

namespace {

// libjpeg reports an error by a call that must not return. Ours stores the text and jumps back into Run.
struct ErrorSink {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
  std::jmp_buf back;
  char text[JMSG_LENGTH_MAX];
  int64_t warnings = 0;
};

void OnError(j_common_ptr info) {
  auto* sink = reinterpret_cast<ErrorSink*>(info->err);
  sink->base.format_message(info, sink->text);
  std::longjmp(sink->back, 1);
}

void OnMessage(j_common_ptr info, int level) {
  if (level < 0) ++reinterpret_cast<ErrorSink*>(info->err)->warnings;
}

void Silent(j_common_ptr) {}

// All bytes are in memory from the start; when they run out, the decoder is told that the image ends here.
struct MemorySource {
  jpeg_source_mgr base;  // first, as above
  bool exhausted = false;
};

void Nothing(j_decompress_ptr) {}

boolean OnExhausted(j_decompress_ptr info) {
  static const JOCTET kEndOfImage[] = {0xFF, JPEG_EOI};
  auto* source = reinterpret_cast<MemorySource*>(info->src);
  source->exhausted = true;
  source->base.next_input_byte = kEndOfImage;
  source->base.bytes_in_buffer = sizeof kEndOfImage;
  return TRUE;
}

void Skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  jpeg_source_mgr* source = info->src;
  if (static_cast<size_t>(count) > source->bytes_in_buffer) {
    OnExhausted(info);
    return;
  }
  source->next_input_byte += count;
  source->bytes_in_buffer -= static_cast<size_t>(count);
}

// Scans in the file, counted by walking its markers and stopping above `enough`. Far cheaper than decoding
// them.
int CountScans(std::span<const uint8_t> jpeg, int enough) {
  int scans = 0;
  size_t at = 2;
  while (at + 4 <= jpeg.size() && scans <= enough) {
    const auto* hit = static_cast<const uint8_t*>(std::memchr(jpeg.data() + at, 0xFF, jpeg.size() - at - 1));
    if (hit == nullptr) break;
    at = static_cast<size_t>(hit - jpeg.data());
    const uint8_t marker = jpeg[at + 1];
    if (marker == 0xFF) {  // fill byte: the next one may start the marker
      ++at;
      continue;
    }
    if (marker == JPEG_EOI) break;
    const bool alone = marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8);  // stuffing, TEM, restarts, SOI
    if (alone || at + 4 > jpeg.size()) {
      at += 2;
      continue;
    }
    if (marker == 0xDA) ++scans;
    at += 2 + (size_t{jpeg[at + 2]} << 8 | jpeg[at + 3]);
  }
  return scans;
}

// a * b / 255, rounded: exact for bytes.
inline uint32_t MulDiv255(uint32_t a, uint32_t b) {
  const uint32_t product = a * b + 128;
  return (product + (product >> 8)) >> 8;
}

// Adobe stores ink inverted: a sample is the light that the ink lets through.
void AdobeCmykToRgb(const uint8_t* cmyk, uint8_t* rgb, int width) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const uint32_t light = cmyk[3];
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(light - MulDiv255(255u - cmyk[c], light));
  }
}

// Whether decoding a part finds the same files bad as decoding everything: in one scan only missing bytes
// make a file bad, and none are missing where the end marker stands.
bool PartsAreSafe(const jpeg_decompress_struct& info, std::span<const uint8_t> jpeg) {
  return info.num_components != 4 && !jpeg_has_multiple_scans(const_cast<j_decompress_ptr>(&info)) &&
         jpeg.size() > 4 && jpeg[jpeg.size() - 2] == 0xFF && jpeg[jpeg.size() - 1] == JPEG_EOI;
}

[[noreturn]] void Refuse(std::string what, std::string hint) {
  throw Error(ErrorCode::kData, std::move(what), "", std::move(hint));
}

}  // namespace

struct JpegDecoder::State {
  jpeg_decompress_struct info{};
  ErrorSink errors{};
  MemorySource source{};
  Image upright;  // scratch for orientation
  std::vector<uint8_t> cmyk_row;

  State() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = OnError;
    errors.base.emit_message = OnMessage;
    errors.base.output_message = Silent;
    if (setjmp(errors.back)) {
      throw Error(ErrorCode::kBug, fmt::format("libjpeg could not be set up: {}", errors.text));
    }
    jpeg_create_decompress(&info);
    source.base.init_source = Nothing;
    source.base.fill_input_buffer = OnExhausted;
    source.base.skip_input_data = Skip;
    source.base.resync_to_restart = jpeg_resync_to_restart;
    source.base.term_source = Nothing;
    info.src = &source.base;
  }
  ~State() { jpeg_destroy_decompress(&info); }

  // The three steps below may be left by longjmp: they own nothing with a destructor.
  void ReadHeaderStep(std::span<const uint8_t> jpeg) {
    errors.warnings = 0;
    source.exhausted = false;
    source.base.next_input_byte = jpeg.data();
    source.base.bytes_in_buffer = jpeg.size();
    jpeg_read_header(&info, TRUE);
  }
  void StartStep() {
    info.dct_method = JDCT_ISLOW;
    info.do_fancy_upsampling = TRUE;
    info.do_block_smoothing = TRUE;
    info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info);
  }
  // Returns whether the bytes sufficed for every row.
  bool RowsStep(uint8_t* rgb, uint8_t* cmyk) {
    const size_t stride = size_t{3} * info.output_width;
    while (info.output_scanline < info.output_height) {
      uint8_t* target = rgb + stride * info.output_scanline;
      JSAMPROW row = cmyk != nullptr ? cmyk : target;
      jpeg_read_scanlines(&info, &row, 1);
      if (cmyk != nullptr) AdobeCmykToRgb(cmyk, target, static_cast<int>(info.output_width));
    }
    // A file that only lacks its end marker has all its rows: the entropy decoder ran out without a warning.
    // With several scans that proves nothing, since later ones only refine.
    const bool complete = !source.exhausted || (!jpeg_has_multiple_scans(&info) && errors.warnings == 0);
    jpeg_abort_decompress(&info);  // what follows the last row is of no interest
    return complete;
  }

  // As RowsStep for the part of the output that lies in `box`, which grows by one block of coefficients on
  // every side: chroma is interpolated across blocks, and at a border that is not the image's it would be
  // wrong.
  void PartStep(const Box& box, Image& out, Box& shown) {
    const int block_width = info.max_h_samp_factor * info.min_DCT_scaled_size;
    const int block_height = info.max_v_samp_factor * info.min_DCT_scaled_size;
    const int width = static_cast<int>(info.output_width), height = static_cast<int>(info.output_height);
    const int left = std::max(0, (box.x / block_width - 1) * block_width);
    const int right =
        std::min(width, (box.x + box.width + block_width - 1) / block_width * block_width + block_width);
    const int top = std::max(0, (box.y / block_height - 1) * block_height);
    const int bottom = box.y + box.height;
    auto x = static_cast<JDIMENSION>(left), columns = static_cast<JDIMENSION>(right - left);
    if (right - left < width) jpeg_crop_scanline(&info, &x, &columns);
    shown = {static_cast<int>(x), top, static_cast<int>(info.output_width), std::min(bottom, height) - top};
    out.Reset(shown.width, shown.height);
    if (top > 0) jpeg_skip_scanlines(&info, static_cast<JDIMENSION>(top));
    const size_t stride = size_t{3} * info.output_width;
    while (static_cast<int>(info.output_scanline) < bottom) {
      JSAMPROW row = out.rgb.data() + stride * (info.output_scanline - static_cast<JDIMENSION>(top));
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_abort_decompress(&info);
  }

  // Runs one step; an error inside libjpeg becomes Error(kData).
  template <typename Step>
  void Run(Step step) {
    if (setjmp(errors.back)) {
      jpeg_abort_decompress(&info);
      Refuse(fmt::format("not a JPEG image that can be decoded: {}", errors.text),
             "Check that the file opens in an image viewer; import it again or leave it out.");
    }
    step();
  }

  void CheckLimits(std::span<const uint8_t> jpeg, const JpegLimits& limits);
  JpegInfo Header(std::span<const uint8_t> jpeg, const JpegOptions& options);
};

void JpegDecoder::State::CheckLimits(std::span<const uint8_t> jpeg, const JpegLimits& limits) {
  const int64_t pixels = int64_t{info.image_width} * info.image_height;
  const char* hint = "Scale the image down before importing it, or leave it out.";
  std::string problem;
  if (pixels > limits.max_pixels || pixels * 3 > limits.max_memory) {
    problem = fmt::format("image of {} x {} pixels, expected at most {} pixels", info.image_width,
                          info.image_height, std::min(limits.max_pixels, limits.max_memory / 3));
  } else if (info.num_components != 1 && info.num_components != 3 && info.num_components != 4) {
    problem = fmt::format("image with {} colour components, expected 1, 3 or 4", info.num_components);
  } else if (jpeg_has_multiple_scans(&info) && CountScans(jpeg, limits.max_scans) > limits.max_scans) {
    problem =
        fmt::format("image in more than {} scans, expected at most {}", limits.max_scans, limits.max_scans);
  }
  if (!problem.empty()) {
    jpeg_abort_decompress(&info);
    Refuse(std::move(problem), hint);
  }
  info.mem->max_memory_to_use =
      std::max<int64_t>(limits.max_memory - pixels * 3, 1);  // 0 would mean no limit
}

JpegInfo JpegDecoder::State::Header(std::span<const uint8_t> jpeg, const JpegOptions& options) {
  Run([&] { ReadHeaderStep(jpeg); });
  CheckLimits(jpeg, options.limits);
  return {.width = static_cast<int>(info.image_width),
          .height = static_cast<int>(info.image_height),
          .components = info.num_components,
          .orientation = ExifOrientation(jpeg),
          .progressive = info.progressive_mode != 0,
          .plain = PartsAreSafe(info, jpeg) && info.jpeg_color_space == JCS_YCbCr && !info.arith_code};
}

namespace {

// The part in reduced pixels, rounded outwards.
Box Reduced(const Box& box, int reduce) {
  const int x = box.x / reduce, y = box.y / reduce;
  return {x, y, (box.x + box.width + reduce - 1) / reduce - x,
          (box.y + box.height + reduce - 1) / reduce - y};
}

}  // namespace

JpegDecoder::JpegDecoder() : state_(std::make_unique<State>()) {}
JpegDecoder::~JpegDecoder() = default;

JpegInfo JpegDecoder::ReadHeader(std::span<const uint8_t> jpeg, const JpegOptions& options) {
  JpegInfo info = state_->Header(jpeg, options);
  jpeg_abort_decompress(&state_->info);
  return info;
}

JpegInfo JpegDecoder::Decode(std::span<const uint8_t> jpeg, const JpegOptions& options, Image& out) {
  if (jpeg.empty()) throw Error(ErrorCode::kData, "not a JPEG: it is empty");
  State& state = *state_;
  JpegInfo info = state.Header(jpeg, options);
  const bool turn = options.apply_orientation && info.orientation != 1;
  if (options.part && !turn && PartsAreSafe(state.info, jpeg)) {
    const JpegPart part = options.part(info.width, info.height);
    GRATICULE_CHECK(part.reduce == 1 || part.reduce == 2 || part.reduce == 4 || part.reduce == 8);
    info.reduce = part.reduce;
    Box shown;
    state.Run([&] {
      state.info.scale_num = 8 / static_cast<unsigned>(part.reduce);
      state.info.scale_denom = 8;
      state.StartStep();
      state.PartStep(Reduced(part.box, part.reduce), out, shown);
    });
    info.shown = {shown.x * part.reduce, shown.y * part.reduce, shown.width * part.reduce,
                  shown.height * part.reduce};
    info.warnings = state.errors.warnings;
    return info;
  }
  Image& target = turn ? state.upright : out;
  state.Run([&] { state.StartStep(); });
  target.Reset(info.width, info.height);
  uint8_t* cmyk = nullptr;
  if (info.components == 4) {
    state.cmyk_row.resize(size_t{4} * info.width);
    cmyk = state.cmyk_row.data();
  }
  state.Run([&] { info.truncated = !state.RowsStep(target.rgb.data(), cmyk); });
  info.warnings = state.errors.warnings;
  if (info.truncated && !options.allow_truncated) {
    Refuse(fmt::format("truncated JPEG: {} bytes end before the last of {} rows", jpeg.size(), info.height),
           "Fetch the image again; a damaged file cannot be trained on.");
  }
  if (turn) ApplyOrientation(target, info.orientation, out);
  info.shown = {0, 0, out.width, out.height};
  return info;
}

}  // namespace graticule
