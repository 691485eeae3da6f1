#include "launch/verbs/data_verify.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json_text.h"
#include "base/text.h"
#include "data/embedding/verify_store.h"
#include "data/verify.h"
#include "launch/options.h"
#include "launch/progress_line.h"
#include "launch/verbs/dataset_folders.h"

namespace graticule {
namespace {

std::string Verdict(int64_t problems) { return problems == 0 ? "good" : Counted(problems, "problem"); }

double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

// Reports one folder on stderr and, unless json, on stdout.
nlohmann::json CheckStore(const std::string& folder, bool fast, bool json) {
  ProgressLine line("verify", "parts");
  const StoreCheck check = VerifyStore(folder, !fast, [&](int64_t done, int64_t total) {
    line.Update(done, static_cast<uint64_t>(done), static_cast<uint64_t>(total));
  });
  line.Finish();
  for (const std::string& problem : check.problems) fmt::print(stderr, "{}\n", problem);
  if (!json) {
    fmt::print("{}: {}, {}, {} of them valid, {:.1f} MB: {}\n", folder, Counted(check.parts, "part"),
               Counted(check.rows, "row"), check.valid, Megabytes(check.bytes),
               Verdict(std::ssize(check.problems)));
  }
  return {{"folder", folder},          {"good", check.problems.empty()}, {"parts", check.parts},
          {"rows", check.rows},        {"valid", check.valid},           {"bytes", check.bytes},
          {"problems", check.problems}};
}

nlohmann::json CheckDataset(const std::string& folder, bool fast, bool decode, bool json) {
  ProgressLine line("verify", "records");
  const VerifyResult result = VerifyDataset(
      folder,
      {.images = !fast, .hashes = !fast, .decode = decode, .progress = [&](int64_t done, int64_t total) {
         line.Update(done, static_cast<uint64_t>(done), static_cast<uint64_t>(total));
       }});
  line.Finish();
  for (const std::string& problem : result.problems) fmt::print(stderr, "{}\n", problem);
  const int64_t untold = result.problem_count - std::ssize(result.problems);
  if (untold > 0) fmt::print(stderr, "and {} more\n", Counted(untold, "problem"));
  if (!json) {
    std::string images = fast ? "no image read (--fast)" : Counted(result.images, "image") + " read";
    if (result.truncated > 0)
      images += fmt::format(" ({} cut short, as the import found {})", result.truncated,
                            result.truncated == 1 ? "it" : "them");
    fmt::print("{}: {}, {}, {}, {:.1f} MB: {}\n", folder, Counted(result.shards, "shard"),
               Counted(result.records, "record"), images, Megabytes(result.bytes),
               Verdict(result.problem_count));
  }
  return {{"folder", folder},           {"good", result.good()},
          {"shards", result.shards},    {"records", result.records},
          {"images", result.images},    {"truncated", result.truncated},
          {"bytes", result.bytes},      {"problem_count", result.problem_count},
          {"problems", result.problems}};
}

int Run(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data verify DIR... [options]",
      "Checks sizes, SHA-256, the HDF5 profile, every column and every image of a dataset, or every page of "
      "an embedding\nstore. Exits 3 if anything is wrong.");
  options.visible().add_options()("fast", boost::program_options::bool_switch(),
                                  "heads and columns only: neither images nor whole-file hashes")(
      "decode", boost::program_options::bool_switch(), "decode every image too, as training will");
  options.Positional("folder", "datasets");
  if (!options.Parse(arguments)) return 0;
  const bool fast = options.Get<bool>("fast"), decode = options.Get<bool>("decode");
  if (fast && decode)
    throw Error(ErrorCode::kUsage,
                "--fast reads no image and --decode decodes every one; expected one of them");
  const std::vector<std::string> folders = DistinctFolders(options);
  for (const std::string& folder : folders) {
    if (!IsEmbeddingStore(folder)) RequireManifest(folder);
  }
  nlohmann::json out = nlohmann::json::array();
  bool good = true;
  for (const std::string& folder : folders) {
    try {
      out.push_back(IsEmbeddingStore(folder) ? CheckStore(folder, fast, options.json())
                                             : CheckDataset(folder, fast, decode, options.json()));
    } catch (const Error& error) {  // no manifest to go by: the others are still looked at
      if (error.code() != ErrorCode::kData) throw;
      fmt::print(stderr, "{}\n", error.what());
      out.push_back({{"folder", folder}, {"good", false}, {"problems", {error.what()}}});
    }
    good = good && out.back()["good"];
  }
  if (options.json()) fmt::print("{}\n", JsonText(nlohmann::json{{"good", good}, {"datasets", out}}));
  return good ? 0 : static_cast<int>(ErrorCode::kData);
}

}  // namespace

Verb DataVerifyVerb() { return {"data verify", "check every byte of a dataset against its manifest", Run}; }

}  // namespace graticule
