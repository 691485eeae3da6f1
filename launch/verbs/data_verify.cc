#include "launch/verbs/data_verify.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/embedding/verify_store.h"
#include "data/verify.h"
#include "launch/options.h"
#include "launch/progress_line.h"

namespace graticule {
namespace {

// Returns whether it is good.
bool RunOnStore(const std::string& folder, bool fast, bool json, nlohmann::json& out) {
  ProgressLine line("verify", "parts");
  const StoreCheck check = VerifyStore(folder, !fast, [&](int64_t done, int64_t total) {
    line.Update(done, static_cast<uint64_t>(done), static_cast<uint64_t>(total));
  });
  line.Finish();
  const bool good = check.problems.empty();
  out.push_back({{"folder", folder},
                 {"good", good},
                 {"parts", check.parts},
                 {"rows", check.rows},
                 {"valid", check.valid},
                 {"bytes", check.bytes},
                 {"problems", check.problems}});
  for (const std::string& problem : check.problems) fmt::print(stderr, "{}\n", problem);
  if (!json) {
    fmt::print("{}: {} parts, {} rows, {} of them valid, {:.1f} MB: {}\n", folder, check.parts, check.rows,
               check.valid, static_cast<double>(check.bytes) / 1e6,
               good ? std::string("good") : fmt::format("{} problems", check.problems.size()));
  }
  return good;
}

int Run(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data verify DIR... [options]",
      "Checks sizes, SHA-256, the HDF5 profile, every column and every image of a dataset, or every page of "
      "an embedding store. Exits 3 if anything is wrong.");
  options.visible().add_options()("fast", boost::program_options::bool_switch(),
                                  "heads and columns only: neither images nor whole-file hashes")(
      "decode", boost::program_options::bool_switch(), "decode every image too, as training will");
  options.Positional("folder", "datasets");
  if (!options.Parse(arguments)) return 0;
  const std::vector<std::string> folders = options.Words("folder");
  if (folders.empty()) throw Error(ErrorCode::kUsage, "no dataset folder is named");
  const bool fast = options.Get<bool>("fast");
  nlohmann::json out = nlohmann::json::array();
  bool good = true;
  for (const std::string& folder : folders) {
    if (IsEmbeddingStore(folder)) {
      try {
        good = RunOnStore(folder, fast, options.json(), out) && good;
      } catch (const Error& error) {  // not finished, or no manifest to go by: the others are still looked at
        good = false;
        fmt::print(stderr, "{}\n", error.what());
        out.push_back({{"folder", folder}, {"good", false}, {"problems", {error.what()}}});
      }
      continue;
    }
    ProgressLine line("verify", "images");
    const VerifyResult result =
        VerifyDataset(folder, {.images = !fast,
                               .hashes = !fast,
                               .decode = options.Get<bool>("decode"),
                               .progress = [&](int64_t done, int64_t total) {
                                 line.Update(done, static_cast<uint64_t>(done), static_cast<uint64_t>(total));
                               }});
    line.Finish();
    good = good && result.good();
    out.push_back({{"folder", folder},
                   {"good", result.good()},
                   {"shards", result.shards},
                   {"images", result.records},
                   {"truncated", result.truncated},
                   {"bytes", result.bytes},
                   {"problem_count", result.problem_count},
                   {"problems", result.problems}});
    for (const std::string& problem : result.problems) fmt::print(stderr, "{}\n", problem);
    if (!options.json()) {
      fmt::print("{}: {} shards, {} images read ({} cut short, as the import found them), {:.1f} MB: {}\n",
                 folder, result.shards, result.records, result.truncated,
                 static_cast<double>(result.bytes) / 1e6,
                 result.good() ? std::string("good") : fmt::format("{} problems", result.problem_count));
    }
  }
  if (options.json()) fmt::print("{}\n", nlohmann::json{{"good", good}, {"datasets", out}}.dump());
  return good ? 0 : static_cast<int>(ErrorCode::kData);
}

}  // namespace

Verb DataVerifyVerb() { return {"data verify", "check every byte of a dataset against its manifest", Run}; }

}  // namespace graticule
