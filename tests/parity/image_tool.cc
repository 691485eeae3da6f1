// Lets a script call data/image, so that its results can be compared with Pillow, torchvision and
// transformers.
//   image_tool decode IN.jpg OUT.rgb apply|ignore strict|lenient
//   image_tool resize IN.rgb W H  X Y BW BH  OW OH  bicubic|bilinear avx512|avx2|portable OUT.rgb
//   image_tool centre IN.jpg SIZE bicubic|bilinear OUT.rgb
//   image_tool crops W H SEED COUNT      one line per position: x y width height, then 22 uniform draws
//   image_tool ten IN.jpg SIZE bicubic|bilinear OUT.rgb      the ten crops, one after the other
//   image_tool order N SEED EPOCH        the whole permutation
//   image_tool block-order N SEED EPOCH BLOCK POOL           the whole permutation
//   image_tool mixture-order SEED COUNT WEIGHT:RECORDS...    the first records
// Files ending in .rgb are bare bytes. Exit code of a refused image: 3.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/loader/order.h"
#include "data/loader/sample_order.h"

namespace graticule {
namespace {

std::vector<uint8_t> ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorCode::kUsage, "cannot be opened", path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteAll(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Filter FilterOf(const std::string& name) { return name == "bicubic" ? Filter::kBicubic : Filter::kBilinear; }

void Decode(const std::vector<std::string>& a) {
  JpegDecoder decoder;
  Image image;
  const JpegOptions options{.apply_orientation = a.at(2) == "apply", .allow_truncated = a.at(3) == "lenient"};
  const JpegInfo info = decoder.Decode(ReadAll(a.at(0)), options, image);
  WriteAll(a.at(1), image.rgb);
  fmt::print("{} {} {} {} {} {}\n", image.width, image.height, info.components, int{info.progressive},
             int{info.truncated}, info.orientation);
}

void Resize(const std::vector<std::string>& a) {
  const auto number = [&](size_t i) { return std::stoi(a.at(i)); };
  Image image;
  image.Reset(number(1), number(2));
  image.rgb = ReadAll(a.at(0));
  ResizePlan plan{
      {number(3), number(4), number(5), number(6)}, number(7), number(8), {0, 0, number(7), number(8)}};
  if (a.size() > 12)
    plan.stretch = {std::stod(a.at(12)), std::stod(a.at(13)), std::stod(a.at(14)), std::stod(a.at(15))};
  std::vector<uint8_t> out(size_t{3} * number(7) * number(8));
  const std::string kernel = a.at(10);
  Resizer resizer(kernel == "vbmi"     ? ResizeKernel::kVbmi
                  : kernel == "avx512" ? ResizeKernel::kAvx512
                  : kernel == "avx2"   ? ResizeKernel::kAvx2
                                       : ResizeKernel::kPortable);
  resizer.Resize(image.view(), plan, FilterOf(a.at(9)), out.data());
  WriteAll(a.at(11), out);
}

void Centre(const std::vector<std::string>& a) {
  JpegDecoder decoder;
  Image image;
  decoder.Decode(ReadAll(a.at(0)), {}, image);
  const AugmentOptions options{.image_size = std::stoi(a.at(1)), .kind = "centre_crop", .filter = a.at(2)};
  std::vector<uint8_t> out(3 * options.image_size * options.image_size);
  Rng unused(0, {});
  Cropper(options).Crop(image, unused, out.data());
  WriteAll(a.at(3), out);
}

void Crops(const std::vector<std::string>& a) {
  const AugmentOptions options{.scale_min = 0.08};
  for (uint64_t position = 0; position < std::stoull(a.at(3)); ++position) {
    const RngKey key{.epoch = 1, .index = position, .view = 0, .purpose = Purpose::kCrop};
    Rng rng(std::stoull(a.at(2)), key);
    Rng again = rng;
    const Box box = PlanRandomResizedCrop(std::stoi(a.at(0)), std::stoi(a.at(1)), options, rng).source;
    fmt::print("{} {} {} {}", box.x, box.y, box.width, box.height);
    for (int i = 0; i < 22; ++i) fmt::print(" {:.17g}", again.Uniform());
    fmt::print("\n");
  }
}

void TenCrops(const std::vector<std::string>& a) {
  JpegDecoder decoder;
  Image image;
  decoder.Decode(ReadAll(a.at(0)), {}, image);
  const AugmentOptions options{.image_size = std::stoi(a.at(1)), .kind = "ten_crop", .filter = a.at(2)};
  const size_t bytes = static_cast<size_t>(3 * options.image_size * options.image_size);
  std::vector<uint8_t> out(kTenCrops * bytes);
  Cropper cropper(options);
  JpegInfo whole;
  whole.shown = {0, 0, image.width, image.height};
  Rng unused(0, {});
  for (int view = 0; view < kTenCrops; ++view) {
    const ResizePlan plan = cropper.Plan(image.width, image.height, unused, view);
    cropper.Crop(image, whole, plan, out.data() + static_cast<size_t>(view) * bytes);
  }
  WriteAll(a.at(3), out);
}

void Print(const OrderOptions& options, int64_t epoch, int64_t count) {
  const auto order = SampleOrder::Create(options);
  for (int64_t i = 0; i < count; ++i) fmt::print("{} ", order->RecordAt(epoch, i));
}

void BlockOrders(const std::vector<std::string>& a) {
  OrderOptions options;
  options.records = options.epoch_samples = std::stoll(a.at(0));
  options.seed = std::stoull(a.at(1));
  options.block = {std::stoll(a.at(3)), std::stoll(a.at(4))};
  Print(options, std::stoll(a.at(2)), options.records);
}

void MixtureOrders(const std::vector<std::string>& a) {
  OrderOptions options;
  options.seed = std::stoull(a.at(0));
  options.epoch_samples = std::stoll(a.at(1));
  options.endless = true;
  for (size_t i = 2; i < a.size(); ++i) {
    const size_t colon = a[i].find(':');
    options.mixture.push_back(std::stod(a[i].substr(0, colon)));
    options.member_records.push_back(std::stoll(a[i].substr(colon + 1)));
    options.records += options.member_records.back();
  }
  Print(options, 0, options.epoch_samples);
}

void Order(const std::vector<std::string>& a) {
  const KeyedOrder order(std::stoll(a.at(0)), std::stoull(a.at(1)), std::stoull(a.at(2)));
  for (int64_t i = 0; i < order.size(); ++i) fmt::print("{} ", order.At(i));
}

int Run(int argc, char** argv) {
  const std::vector<std::string> rest(argv + (argc > 1 ? 2 : 1), argv + argc);
  const std::string verb = argc > 1 ? argv[1] : "";
  try {
    if (verb == "decode") return Decode(rest), 0;
    if (verb == "resize") return Resize(rest), 0;
    if (verb == "centre") return Centre(rest), 0;
    if (verb == "crops") return Crops(rest), 0;
    if (verb == "ten") return TenCrops(rest), 0;
    if (verb == "order") return Order(rest), 0;
    if (verb == "block-order") return BlockOrders(rest), 0;
    if (verb == "mixture-order") return MixtureOrders(rest), 0;
    throw Error(ErrorCode::kUsage,
                fmt::format("verb '{}', expected one of those at the top of image_tool.cc", verb));
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) { return graticule::Run(argc, argv); }
