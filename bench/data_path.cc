// How fast images travel from JPEG bytes to the batch. Run by bench/data_path.py, which prepares the files,
// runs the peers on the same ones in turn, and writes bench/results/data_path.md. One thread, images per CPU
// second:
//   bench_data_path FOLDER SECONDS decode            whole images
//   bench_data_path FOLDER SECONDS resize            crops of one decoded image
//   bench_data_path FOLDER SECONDS part LOW exact|fast [KERNEL]   decodes what crops of LOW to 1 of the area
//   need bench_data_path FOLDER SECONDS crop LOW exact|fast [KERNEL]   and resamples it
//   bench_data_path FOLDER 0 error LOW               how far the crops of fast are from those of exact, in
//   units of 8 bits
// and for the loader as a whole, LOAD being the share of its rate that the consumer asks for:
//   bench_data_path FOLDER SECONDS loader THREADS LOAD [nvjpeg]   decoded by the GPU
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/loader/loader.h"
#include "trainer/cuda_module.h"

namespace graticule {
namespace {

using Clock = std::chrono::steady_clock;

// Time this thread was on a core: what a rate per core means on a machine that is shared.
double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::vector<std::vector<uint8_t>> ReadFolder(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::vector<uint8_t>> files;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  if (files.empty()) throw Error(ErrorCode::kUsage, "no files, expected JPEG images", folder);
  return files;
}

// The files as a dataset of `repeats` times their number, already in memory: the loader alone is measured.
class MemoryDataset final : public Dataset {
 public:
  MemoryDataset(std::vector<std::vector<uint8_t>> files, int64_t repeats)
      : files_(std::move(files)), repeats_(repeats) {}
  int64_t size() const override { return static_cast<int64_t>(files_.size()) * repeats_; }
  LatLon place(int64_t) const override { return {}; }
  RecordMeta meta(int64_t) const override { return {}; }
  std::string id(int64_t record) const override { return std::to_string(record); }
  uint32_t image_bytes(int64_t record) const override { return static_cast<uint32_t>(File(record).size()); }
  void ReadImage(int64_t record, std::vector<uint8_t>& out) const override { out = File(record); }
  RecordKeys keys(int64_t) const override { return {}; }
  RecordAddress Address(int64_t record) const override { return {0, 0, record}; }
  std::vector<DatasetFolder> folders() const override { return {}; }
  std::string Locate(int64_t record) const override { return fmt::format("memory[{}]", record); }
  std::string Sha256() const override { return ""; }
  double Coverage(const std::string&) const override { return 0; }

 private:
  const std::vector<uint8_t>& File(int64_t record) const { return files_[record % files_.size()]; }
  std::vector<std::vector<uint8_t>> files_;
  int64_t repeats_;
};

double Rate(double seconds, const std::function<void(int64_t)>& one) {
  for (int64_t i = 0; i < 8; ++i) one(i);
  const double begin = CpuSeconds();
  int64_t done = 0;
  while (CpuSeconds() - begin < seconds) one(done++);
  return static_cast<double>(done) / (CpuSeconds() - begin);
}

void Whole(const std::string& mode, double seconds, const std::vector<std::vector<uint8_t>>& files) {
  JpegDecoder decoder;
  Cropper cropper({});  // random-resized-crop to 224, 0.9..1 of the area
  Image image;
  decoder.Decode(files[0], {}, image);
  std::vector<uint8_t> out(3 * 224 * 224);
  const double rate = Rate(seconds, [&](int64_t i) {
    if (mode == "decode") {
      decoder.Decode(files[i % files.size()], {.apply_orientation = true}, image);
      return;
    }
    Rng rng(1, {.epoch = 0, .index = static_cast<uint64_t>(i), .view = 0, .purpose = Purpose::kCrop});
    cropper.Crop(image, rng, out.data());
  });
  fmt::print("{{\"images_per_s\": {:.1f}}}\n", rate);
}

// The loader's own steps: plan, decode the part, resample.
void Parts(bool resample, const AugmentOptions& augment, ResizeKernel kernel, double seconds,
           const std::vector<std::vector<uint8_t>>& files) {
  JpegDecoder decoder;
  Cropper cropper(augment, kernel);
  Image image;
  std::vector<uint8_t> out(3 * 224 * 224);
  const double rate = Rate(seconds, [&](int64_t i) {
    Rng rng(1, {.epoch = 0, .index = static_cast<uint64_t>(i), .view = 0, .purpose = Purpose::kCrop});
    ResizePlan plan;
    const auto part = [&](int width, int height) {
      plan = cropper.Plan(width, height, rng);
      return cropper.PartOf({&plan, 1});
    };
    const JpegInfo shown =
        decoder.Decode(files[i % files.size()], {.apply_orientation = true, .part = part}, image);
    if (resample) cropper.Crop(image, shown, plan, out.data());
  });
  fmt::print("{{\"images_per_s\": {:.1f}}}\n", rate);
}

// Crops of both modes at the same places.
void Error8Bit(double low, const std::vector<std::vector<uint8_t>>& files) {
  double sum = 0, squares = 0, worst = 0, values = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    std::vector<uint8_t> crops[2];
    for (int fast = 0; fast < 2; ++fast) {
      AugmentOptions augment;
      augment.scale_min = low;
      augment.decode = fast ? "fast" : "exact";
      JpegDecoder decoder;
      Cropper cropper(augment);
      Image image;
      Rng rng(1, {.epoch = 0, .index = i, .view = 0, .purpose = Purpose::kCrop});
      ResizePlan plan;
      const auto part = [&](int width, int height) {
        plan = cropper.Plan(width, height, rng);
        return cropper.PartOf({&plan, 1});
      };
      const JpegInfo shown = decoder.Decode(files[i], {.part = part}, image);
      crops[fast].resize(3 * 224 * 224);
      cropper.Crop(image, shown, plan, crops[fast].data());
    }
    for (size_t k = 0; k < crops[0].size(); ++k) {
      const double difference = std::abs(crops[0][k] - crops[1][k]);
      sum += difference;
      squares += difference * difference;
      worst = std::max(worst, difference);
      ++values;
    }
  }
  fmt::print("{{\"mean\": {:.3f}, \"rms\": {:.3f}, \"worst\": {:.0f}}}\n", sum / values,
             std::sqrt(squares / values), worst);
}

// Takes batches for `seconds`; after each it is busy for `step_s`, as a device would be.
LoaderStats Drive(Loader& loader, double seconds, double step_s, double& elapsed_s) {
  loader.Release(loader.Next());  // the first one fills the pipe
  const LoaderStats before = loader.stats();
  const auto begin = Clock::now();
  while (Since(begin) < seconds) {
    const Batch* batch = loader.Next();
    if (step_s > 0) std::this_thread::sleep_for(std::chrono::duration<double>(step_s));
    loader.Release(batch);
  }
  elapsed_s = Since(begin);
  LoaderStats after = loader.stats();
  after.images -= before.images;
  after.wait_s -= before.wait_s;
  return after;
}

void WholeLoader(double seconds, std::vector<std::vector<uint8_t>> files, int threads, double load,
                 bool nvjpeg) {
  LoaderOptions options;
  options.global_batch = nvjpeg ? 512 : 32;  // a group of the GPU is 64 images
  options.threads = threads;
  HostAllocator* memory = &PageableAllocator();
  if (nvjpeg) {
    CudaModule& module = LoadCudaModule();
    module.SelectDevice(0);
    options.jpeg_device = &module.Jpegs();
    memory = &module.PinnedAllocator();
  }
  const auto dataset = std::make_shared<MemoryDataset>(std::move(files), 100);
  double elapsed = 0;
  auto loader = Loader::Create(dataset, options, *memory);
  const LoaderStats flat_out = Drive(*loader, seconds, 0, elapsed);
  const double rate = static_cast<double>(flat_out.images) / elapsed;
  if (nvjpeg) fmt::print(stderr, "{} rows decoded by the GPU\n", loader->stats().by_device);
  const LoaderStats loaded =
      Drive(*loader, seconds, static_cast<double>(options.global_batch) / (rate * load), elapsed);
  fmt::print("{{\"images_per_s\": {:.1f}, \"loaded_images_per_s\": {:.1f}, \"wait_share\": {:.5f}}}\n", rate,
             static_cast<double>(loaded.images) / elapsed, loaded.wait_s / elapsed);
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> a(argv + 1, argv + argc);
    const double seconds = std::stod(a.at(1));
    auto files = graticule::ReadFolder(a.at(0));
    if (a.at(2) == "loader") {
      graticule::WholeLoader(seconds, std::move(files), std::stoi(a.at(3)), std::stod(a.at(4)),
                             a.size() > 5 && a[5] == "nvjpeg");
    } else if (a.at(2) == "error") {
      graticule::Error8Bit(std::stod(a.at(3)), files);
    } else if (a.at(2) == "part" || a.at(2) == "crop") {
      graticule::AugmentOptions augment;
      augment.scale_min = std::stod(a.at(3));
      augment.decode = a.at(4);
      const auto kernel =
          a.size() > 5 && a[5] == "avx2" ? graticule::ResizeKernel::kAvx2 : graticule::ResizeKernel::kFastest;
      graticule::Parts(a.at(2) == "crop", augment, kernel, seconds, files);
    } else {
      graticule::Whole(a.at(2), seconds, files);
    }
    return 0;
  } catch (const graticule::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  } catch (const std::exception&) {
    fmt::print(stderr,
               "usage: bench_data_path FOLDER SECONDS decode|resize|part|crop|loader ... (see its source)\n");
    return 2;
  }
}
