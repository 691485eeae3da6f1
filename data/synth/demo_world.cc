#include "data/synth/demo_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/fs.h"
#include "data/image/jpeg_encode.h"
#include "data/synth/archive_writer.h"
#include "data/synth/demo_tables.h"
#include "data/synth/noise.h"
#include "data/synth/render.h"

namespace graticule {
namespace {

constexpr int64_t kImagesPerZip = 4000;
constexpr int kTarSlices = 19;
constexpr size_t kMp16MinBytes = 5'121;  // importers drop smaller files of MP16-Pro as placeholders
constexpr uint64_t kMp16FirstIndex = 1ull << 40;

// Sub-streams of one photo's generator.
enum View : uint32_t { kPlanView = 0, kSceneView = 1 };

// Milliseconds since 1970 of noon on a day of 2015-2023; months keep their real lengths.
int64_t CaptureTimeMs(int year, int month, int day) {
  // Days from the civil calendar (proleptic Gregorian), March-based years.
  const int y = year - (month <= 2);
  const int era = y / 400, of_era = y - era * 400;
  const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t days =
      int64_t{era} * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719'468;
  return (days * 24 + 12) * 3'600'000;
}

std::string PhotoId(uint64_t seed, uint64_t index, bool mp16) {
  const uint64_t h = MixBits(seed * 0x9E3779B97F4A7C15ULL + index);
  // The index in the low digits keeps ids unique.
  if (!mp16) return fmt::format("{}", 100'000'000'000'000 + (h % 900'000) * 1'000'000'000 + index);
  return fmt::format("{:02x}_{:02x}_{}.jpg", h & 255, (h >> 8) & 255,
                     3'000'000'000 + (index - kMp16FirstIndex) * 97);
}

class Renderers {
 public:
  Renderers(const DemoWorldOptions& options) : options_(options) {
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    threads_ = options.threads > 0 ? options.threads : cores;
  }

  // Draws photos in parallel and hands them to `consume` in order.
  void Run(std::span<const DemoPhoto> photos,
           const std::function<void(const DemoPhoto&, std::span<const uint8_t>)>& consume) {
    constexpr size_t kChunk = 256;
    for (size_t begin = 0; begin < photos.size(); begin += kChunk) {
      const std::span<const DemoPhoto> chunk = photos.subspan(begin, std::min(kChunk, photos.size() - begin));
      std::vector<std::vector<uint8_t>> drawn(chunk.size());
      std::atomic<size_t> next = 0;
      std::vector<std::jthread> workers;
      for (int t = 0; t < threads_; ++t) {
        workers.emplace_back([&] {
          for (size_t i = next++; i < chunk.size(); i = next++) drawn[i] = DrawPhoto(chunk[i], options_.seed);
        });
      }
      workers.clear();  // joins
      for (size_t i = 0; i < chunk.size(); ++i) {
        consume(chunk[i], drawn[i]);
        bytes_ += drawn[i].size();
      }
      done_ += static_cast<int64_t>(chunk.size());
      if (options_.progress) options_.progress(done_, options_.osv_images + options_.mp16_images);
    }
  }

  int64_t done() const { return done_; }
  uint64_t bytes() const { return bytes_; }

 private:
  const DemoWorldOptions& options_;
  int threads_ = 1;
  int64_t done_ = 0;
  uint64_t bytes_ = 0;
};

void WriteOsv5m(const DemoWorldOptions& o, const Planet& planet, std::span<const DemoPhoto> photos,
                Renderers* renderers) {
  const std::string root = JoinPath(o.out, "osv5m"), images = JoinPath(root, "images/train");
  PosixFs().MakeDirs(images);
  for (size_t begin = 0, zip = 0; begin < photos.size(); begin += kImagesPerZip, ++zip) {
    const auto part = photos.subspan(begin, std::min<size_t>(kImagesPerZip, photos.size() - begin));
    ArchiveWriter writer(JoinPath(images, fmt::format("{:02d}.zip", zip)), ArchiveWriter::Format::kStoredZip);
    renderers->Run(part, [&](const DemoPhoto& p, std::span<const uint8_t> jpeg) {
      writer.AddFile(fmt::format("{:02d}/{}.jpg", zip, p.id), jpeg);
    });
    writer.Close();
  }
  WriteFileAtomically(PosixFs(), JoinPath(root, "train.csv"), Osv5mCsv(planet, photos));
}

void WriteMp16(const DemoWorldOptions& o, const Planet& planet, std::span<const DemoPhoto> photos,
               Renderers* renderers) {
  const std::string root = JoinPath(o.out, "mp16pro"), metadata = JoinPath(root, "metadata");
  PosixFs().MakeDirs(metadata);
  const std::string tar = JoinPath(root, "mp-16-images.tar.tmp");
  ArchiveWriter writer(tar, ArchiveWriter::Format::kTar);
  writer.AddDirectory("./images");
  renderers->Run(photos, [&](const DemoPhoto& p, std::span<const uint8_t> jpeg) {
    writer.AddFile("./images/" + p.id, jpeg);
  });
  writer.Close();
  SplitIntoSlices(tar, JoinPath(root, "mp-16-images"), kTarSlices);
  WriteFileAtomically(PosixFs(), JoinPath(metadata, "MP16_Pro_filtered.csv"), Mp16Csv(planet, photos, false));
  WriteFileAtomically(PosixFs(), JoinPath(metadata, "MP16_Pro_places365.csv"), Mp16Csv(planet, photos, true));
}

nlohmann::json Identity(const DemoWorldOptions& o) {
  return {{"kind", "demo_world"},
          {"version", kDemoWorldVersion},
          {"seed", o.seed},
          {"osv_images", o.osv_images},
          {"mp16_images", o.mp16_images}};
}

constexpr char kMarker[] = "world.json", kUnfinishedMarker[] = "world.json.unfinished";
constexpr char kOtherFolder[] = "Name an empty folder with --out, or remove this one.";

// Whether `out` holds exactly this world under that name. Throws Error(kUsage) where it holds another.
bool Marked(const DemoWorldOptions& o, const char* marker) {
  const std::string path = JoinPath(o.out, marker);
  if (!PosixFs().Exists(path)) return false;
  const auto found = nlohmann::json::parse(ReadFileToString(path), nullptr, false);
  if (found == Identity(o)) return true;
  throw Error(ErrorCode::kUsage,
              fmt::format("found another demo world: {}, expected {}", found.dump(), Identity(o).dump()),
              o.out, kOtherFolder);
}

// Real downloads lie under the same names.
void RefuseOthersFiles(const std::string& out) {
  for (const char* name : {"osv5m", "mp16pro", "extra.csv"}) {
    if (PosixFs().Exists(JoinPath(out, name)))
      throw Error(ErrorCode::kUsage, "this is here already, and of no demo world", JoinPath(out, name),
                  kOtherFolder);
  }
}

}  // namespace

DemoPhoto PlanPhoto(const Planet& planet, uint64_t seed, uint64_t index, bool mp16) {
  Rng rng(seed, {.index = index, .view = kPlanView, .purpose = Purpose::kSynth});
  DemoPhoto photo{.index = index, .mp16 = mp16, .id = PhotoId(seed, index, mp16)};
  photo.facts = planet.DrawPlace(rng);
  photo.month = 1 + static_cast<int>(rng.Below(12));
  photo.captured_ms =
      CaptureTimeMs(2015 + static_cast<int>(rng.Below(9)), photo.month, 1 + static_cast<int>(rng.Below(28)));
  const int long_side = 160 + static_cast<int>(241 * std::pow(rng.Uniform(), mp16 ? 1.4 : 2.0));
  static constexpr double kAspects[] = {4.0 / 3, 3.0 / 2, 16.0 / 9, 1.6};
  const int short_side = static_cast<int>(long_side / kAspects[rng.Below(std::size(kAspects))]);
  const bool portrait = mp16 && rng.Uniform() < 0.15;
  photo.width = portrait ? short_side : long_side;
  photo.height = portrait ? long_side : short_side;
  photo.quality = 78 + static_cast<int>(rng.Below(15));
  return photo;
}

std::vector<uint8_t> DrawPhoto(const DemoPhoto& photo, uint64_t seed) {
  thread_local JpegEncoder encoder;
  Rng rng(seed, {.index = photo.index, .view = kSceneView, .purpose = Purpose::kSynth});
  const Image image = RenderScene(ComposeScene(photo.facts, photo.month, photo.width, photo.height, rng));
  std::vector<uint8_t> jpeg = encoder.Encode(image.view(), photo.quality);
  for (int quality = 94; photo.mp16 && jpeg.size() < kMp16MinBytes && quality <= 100; quality += 3) {
    jpeg = encoder.Encode(image.view(), quality);
  }
  return jpeg;
}

DemoWorldSummary WriteDemoWorld(const DemoWorldOptions& options) {
  if (Marked(options, kMarker)) return {.images = options.osv_images + options.mp16_images, .reused = true};
  if (!Marked(options, kUnfinishedMarker)) RefuseOthersFiles(options.out);
  PosixFs().MakeDirs(options.out);
  const std::string marker = JoinPath(options.out, kUnfinishedMarker);
  WriteFileAtomically(PosixFs(), marker, Identity(options).dump(1) + "\n");
  const Planet planet(options.seed);
  std::vector<DemoPhoto> osv, mp16;
  for (int64_t i = 0; i < options.osv_images; ++i)
    osv.push_back(PlanPhoto(planet, options.seed, static_cast<uint64_t>(i), false));
  for (int64_t i = 0; i < options.mp16_images; ++i) {
    mp16.push_back(PlanPhoto(planet, options.seed, kMp16FirstIndex + static_cast<uint64_t>(i), true));
  }
  Renderers renderers(options);
  WriteOsv5m(options, planet, osv, &renderers);
  WriteMp16(options, planet, mp16, &renderers);
  std::vector<DemoPhoto> all = osv;
  all.insert(all.end(), mp16.begin(), mp16.end());
  WriteFileAtomically(PosixFs(), JoinPath(options.out, "extra.csv"), ExtraCsv(all));
  PosixFs().Rename(marker, JoinPath(options.out, kMarker));
  PosixFs().SyncDir(options.out);
  return {.images = renderers.done(), .image_bytes = renderers.bytes()};
}

}  // namespace graticule
