#include "launch/verbs/data_attribution.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/csv.h"
#include "base/json_text.h"
#include "data/shard/shard_reader.h"
#include "launch/options.h"
#include "launch/verbs/dataset_folders.h"

namespace graticule {
namespace {

// By code of /own/licence (docs/FORMATS.md).
constexpr std::array<const char*, 6> kLicences = {"",          "CC-BY-SA-4.0", "CC-BY-SA-2.0",
                                                  "CC-BY-4.0", "CC-BY",        "CC-BY-NC or another"};

// Records by licence, over all folders.
using Totals = std::map<std::string, int64_t>;

void Append(const std::string& folder, AtomicFile& out, Totals& totals) {
  const Manifest manifest = ReadManifest(folder);
  for (const ShardEntry& shard : manifest.shards) {
    const ShardReader reader(JoinPath(folder, shard.file), &shard);
    const auto count = static_cast<size_t>(shard.n);
    const StringPool ids = reader.Pool("/id/str_data", "/id/str_off");
    std::vector<uint8_t> licences(count, 0);
    std::vector<uint32_t> creators(count, 0);
    StringPool names;
    if (reader.Has("/own/licence")) licences = reader.Column<uint8_t>("/own/licence");
    if (reader.Has("/own/creator")) {
      creators = reader.Column<uint32_t>("/own/creator");
      names = reader.Pool("/dict/creator/data", "/dict/creator/off");
    }
    std::string text;
    for (size_t i = 0; i < count; ++i) {
      const std::string licence = licences[i] < kLicences.size() ? kLicences[licences[i]] : "";
      const std::string_view creator =
          creators[i] < names.size() ? names.at(creators[i]) : std::string_view();
      text += fmt::format("{},{},{},{}\n", CsvField(ids.at(i)), CsvField(creator), licence,
                          CsvField(manifest.dataset));
      ++totals[licence.empty() ? "unknown" : licence];
    }
    out.Append(text);
  }
}

int Run(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data attribution DIR... --out FILE.csv",
      "Lists the id, creator and licence of every record (id,creator,licence,dataset), as share-alike "
      "and attribution\nlicences ask of whoever publishes a model or a figure.");
  options.visible().add_options()("out", boost::program_options::value<std::string>(),
                                  "CSV file to write (required)");
  options.Positional("folder", "datasets");
  if (!options.Parse(arguments)) return 0;
  const std::vector<std::string> folders = DatasetFolders(options);
  const std::string path = options.OutputFile("out", "attribution.csv");
  AtomicFile out(PosixFs(), path);
  out.Append("id,creator,licence,dataset\n");
  Totals totals;
  for (const std::string& folder : folders) Append(folder, out, totals);
  out.Commit();
  if (options.json()) {
    fmt::print("{}\n", JsonText(nlohmann::json{{"out", path}, {"records_by_licence", totals}}));
  } else {
    for (const auto& [licence, records] : totals) fmt::print("{:<20} {}\n", licence, records);
    fmt::print("written to {}\n", path);
  }
  return 0;
}

}  // namespace

Verb DataAttributionVerb() { return {"data attribution", "creator and licence of every record", Run}; }

}  // namespace graticule
