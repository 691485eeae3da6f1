#include "launch/verbs/data_synth.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "base/text.h"
#include "data/synth/demo_world.h"
#include "launch/options.h"

namespace graticule {
namespace {

constexpr int64_t kMaxImages = 10'000'000;

void CheckCount(const char* option, int64_t value) {
  if (value >= 0 && value <= kMaxImages) return;
  throw Error(ErrorCode::kUsage, fmt::format("{} is {}, expected 0 to {}", option, value, kMaxImages));
}

int Run(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data synth --out DIR [options]",
      "Draws street scenes of an invented planet and writes them as OSV-5M and MP16-Pro would be "
      "downloaded:\nDIR/osv5m, DIR/mp16pro and DIR/extra.csv. The same seed gives the same bytes.");
  namespace po = boost::program_options;
  options.visible().add_options()("out", po::value<std::string>()->required(),
                                  "folder to write (required); kept if it already holds this world")(
      "seed", po::value<uint64_t>()->default_value(1), "which planet")(
      "osv", po::value<int64_t>()->default_value(14'000), "images in the OSV-5M layout")(
      "mp16", po::value<int64_t>()->default_value(6'000), "images in the MP16-Pro layout")(
      "threads", po::value<int>()->default_value(0), "threads that draw; 0: all cores");
  if (!options.Parse(arguments)) return 0;

  DemoWorldOptions world{.out = options.OutputFolder("out"),
                         .seed = options.Get<uint64_t>("seed"),
                         .osv_images = options.Get<int64_t>("osv"),
                         .mp16_images = options.Get<int64_t>("mp16"),
                         .threads = options.Threads()};
  CheckCount("--osv", world.osv_images);
  CheckCount("--mp16", world.mp16_images);
  const bool tty = isatty(STDERR_FILENO) != 0;
  if (tty) {
    world.progress = [](int64_t done, int64_t total) {
      fmt::print(stderr, "\rdrawn {} of {} images", done, total);
    };
  }
  const DemoWorldSummary summary = WriteDemoWorld(world);
  if (tty && !summary.reused) fmt::print(stderr, "\n");
  if (options.json()) {
    const nlohmann::json object = {{"out", world.out},
                                   {"seed", world.seed},
                                   {"images", summary.images},
                                   {"image_bytes", summary.image_bytes},
                                   {"reused", summary.reused}};
    fmt::print("{}\n", JsonText(object));
  } else if (summary.reused) {
    fmt::print("{} already holds this world of {}\n", world.out, Counted(summary.images, "image"));
  } else {
    fmt::print("written to {}: {}, {:.1f} MB\n", world.out, Counted(summary.images, "image"),
               static_cast<double>(summary.image_bytes) / 1e6);
  }
  return 0;
}

}  // namespace

Verb DataSynthVerb() {
  return {"data synth", "write a demo world in the download layouts of OSV-5M and MP16-Pro", Run};
}

}  // namespace graticule
