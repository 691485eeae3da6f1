#include "launch/verbs/import_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/text.h"
#include "launch/progress_line.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

RecordFilterOptions Filter(const Options& options) {
  RecordFilterOptions filter;
  if (options.Has("countries")) filter.countries = ParseCountries(options.Get<std::string>("countries"));
  if (options.Has("bbox")) filter.box = ParseBox(options.Get<std::string>("bbox"));
  if (options.Has("from")) filter.from_ms = ParseDate(options.Get<std::string>("from"));
  if (options.Has("to")) filter.to_ms = ParseDate(options.Get<std::string>("to"));
  if (filter.from_ms && filter.to_ms && *filter.from_ms >= *filter.to_ms)
    throw Error(ErrorCode::kUsage, "--from is not before --to; expected days that leave some between them");
  filter.per_country = options.Get<int64_t>("per-country");
  if (filter.per_country < 0)
    throw Error(ErrorCode::kUsage, fmt::format("--per-country {}; expected 0 or more", filter.per_country));
  return filter;
}

void Print(const Options& options, const std::string& out, const ImportResult& result) {
  if (!options.json()) {
    fmt::print("{}\n{}: {} in {}\n", result.report.ToText(), out,
               Counted(result.manifest.n_records, "record"),
               Counted(std::ssize(result.manifest.shards), "shard"));
    return;
  }
  const nlohmann::json json = {{"out", out},
                               {"records", result.manifest.n_records},
                               {"shards", result.manifest.shards.size()},
                               {"manifest_sha256", result.manifest.sha256},
                               {"report", nlohmann::json::parse(result.report.ToJson())}};
  fmt::print("{}\n", JsonText(json));
}

}  // namespace

void AddCommonOptions(po::options_description& options) {
  options.add_options()("out", po::value<std::string>()->required(), "folder to write the dataset into")(
      "extra-csv", po::value<std::vector<std::string>>()->composing(),
      "further table, joined by id into /aux, /time and /scene columns (may be repeated)")(
      "max-records", po::value<int64_t>()->default_value(0), "stop after so many records; 0: all")(
      "records-per-shard", po::value<int64_t>()->default_value(20'000), "a shard ends after so many records")(
      "shard-mib", po::value<int64_t>()->default_value(1024), "or before its images pass this size")(
      "countries", po::value<std::string>(), "only records of these countries, ISO codes like DE,FR,NA")(
      "bbox", po::value<std::string>(), "only records in SOUTH,WEST,NORTH,EAST; west may lie east of east")(
      "from", po::value<std::string>(),
      "only records taken on this day or later (2019, 2019-07, 2019-07-31)")(
      "to", po::value<std::string>(), "only records taken before this day")(
      "per-country", po::value<int64_t>()->default_value(0),
      "the first so many records of each country; 0: all");
}

ImportOptions CommonOptions(const Options& options, const std::string& dataset, const std::string& split) {
  ImportOptions import;
  import.out = options.OutputFolder("out");
  for (const char* source : {"root", "images"}) {
    std::error_code unknown;
    if (options.Has(source) &&
        std::filesystem::equivalent(options.Get<std::string>(source), import.out, unknown))
      throw Error(ErrorCode::kUsage, fmt::format("--out is the folder of --{}", source), import.out,
                  "Name another folder: datasets and downloads stay apart.");
  }
  import.writer.dataset = dataset;
  import.writer.split = split;
  import.writer.records_per_shard = options.Get<int64_t>("records-per-shard");
  const auto shard_mib = options.Get<int64_t>("shard-mib");
  import.max_records = options.Get<int64_t>("max-records");
  const auto check = [](const char* name, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return;
    throw Error(ErrorCode::kUsage, fmt::format("--{} is {}, expected {} to {}", name, value, least, most));
  };
  check("records-per-shard", import.writer.records_per_shard, 1, 1'000'000);  // in memory until it is written
  check("shard-mib", shard_mib, 1, 65536);
  check("max-records", import.max_records, 0, std::numeric_limits<int64_t>::max());
  import.writer.bytes_per_shard = static_cast<uint64_t>(shard_mib) << 20;
  import.filter = Filter(options);
  if (options.Has("extra-csv")) import.extra_csv = options.Get<std::vector<std::string>>("extra-csv");
  for (const std::string& path : import.extra_csv) RequireFile(path);
  return import;
}

int Import(const Options& options, ImportOptions import, const ImportTable& table, const SourceOf& source,
           bool needs_ids) {
  ProgressLine line("import", "records");
  const auto progress = [&](const ImportProgress& p) { line.Update(p.records, p.done, p.total); };
  import.progress = progress;
  const ImportResult result = ImportDataset(PosixFs(), table, source, needs_ids, import);
  line.Finish();
  Print(options, import.out, result);
  return 0;
}

std::string FindTable(const Options& options, const std::string& path) {
  if (options.Has("csv")) return RequireFile(options.Get<std::string>("csv"));
  if (PosixFs().Exists(path)) return path;
  std::vector<std::string> tables;
  if (PosixFs().IsDirectory(DirName(path))) tables = PosixFs().List(DirName(path));
  std::erase_if(tables, [](const std::string& name) { return !name.ends_with(".csv"); });
  throw Error(ErrorCode::kData, "there is no such table", path,
              fmt::format("Fetch it, or name another with --csv; the folder has {}.",
                          tables.empty() ? "none" : fmt::format("{}", fmt::join(tables, ", "))));
}

// Files directly in `folder` for which `wanted` holds, ordered by the number at the end of the stem, then by
// name.
std::vector<std::string> FindFiles(const std::string& folder,
                                   const std::function<bool(const std::string&)>& wanted) {
  const auto number = [](const std::string& name) {
    const std::string stem = name.substr(0, name.find('.'));
    const size_t digits = stem.find_last_not_of("0123456789") + 1;
    return digits == stem.size() ? int64_t{-1} : std::strtoll(stem.c_str() + digits, nullptr, 10);
  };
  std::vector<std::string> names;
  if (!PosixFs().IsDirectory(folder)) return names;
  for (const std::string& name : PosixFs().List(folder)) {
    if (wanted(name) && !PosixFs().IsDirectory(JoinPath(folder, name))) names.push_back(name);
  }
  std::stable_sort(names.begin(), names.end(),
                   [&](const std::string& a, const std::string& b) { return number(a) < number(b); });
  for (std::string& name : names) name = JoinPath(folder, name);
  return names;
}

}  // namespace graticule
