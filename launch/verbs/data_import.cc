#include "launch/verbs/data_import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/import/importer.h"
#include "launch/options.h"
#include "launch/progress_line.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

void AddCommonOptions(po::options_description& options) {
  options.add_options()("out", po::value<std::string>()->required(), "folder to write the dataset into")(
      "extra-csv", po::value<std::vector<std::string>>()->composing(),
      "further table, joined by id into /aux, /time and /scene columns (may be repeated)")(
      "max-records", po::value<int64_t>()->default_value(0), "stop after so many records; 0: all")(
      "records-per-shard", po::value<int64_t>()->default_value(20'000), "a shard ends after so many records")(
      "shard-mib", po::value<int64_t>()->default_value(1024), "or before its images pass this size");
}

ImportOptions CommonOptions(const Options& options, const std::string& dataset, const std::string& split) {
  ImportOptions import;
  import.out = options.Get<std::string>("out");
  import.writer.dataset = dataset;
  import.writer.split = split;
  import.writer.records_per_shard = options.Get<int64_t>("records-per-shard");
  const auto shard_mib = options.Get<int64_t>("shard-mib");
  import.max_records = options.Get<int64_t>("max-records");
  if (import.writer.records_per_shard < 1 || shard_mib < 1 || shard_mib > 65536 || import.max_records < 0) {
    throw Error(ErrorCode::kUsage,
                "--records-per-shard and --shard-mib must be positive, --max-records not negative");
  }
  import.writer.bytes_per_shard = static_cast<uint64_t>(shard_mib) << 20;
  if (options.Has("extra-csv")) import.extra_csv = options.Get<std::vector<std::string>>("extra-csv");
  return import;
}

void Print(const Options& options, const std::string& out, const ImportResult& result) {
  if (!options.json()) {
    fmt::print("{}\n{}: {} records in {} shards\n", result.report.ToText(), out, result.manifest.n_records,
               result.manifest.shards.size());
    return;
  }
  const nlohmann::json json = {{"out", out},
                               {"records", result.manifest.n_records},
                               {"shards", result.manifest.shards.size()},
                               {"manifest_sha256", result.manifest.sha256},
                               {"report", nlohmann::json::parse(result.report.ToJson())}};
  fmt::print("{}\n", json.dump());
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

std::string RequireFolder(const std::string& path) {
  if (PosixFs().IsDirectory(path)) return path;
  throw Error(ErrorCode::kData, "there is no such folder", path, "Name the folder that holds the download.");
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

// "00-09,12" -> which numbers are wanted.
std::function<bool(int64_t)> ParseNumbers(const std::string& text) {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  size_t at = 0;
  while (at <= text.size()) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    char* rest = nullptr;
    const int64_t low = std::strtoll(part.c_str(), &rest, 10);
    const bool range = *rest == '-';
    const int64_t high = range ? std::strtoll(rest + 1, &rest, 10) : low;
    if (part.empty() || *rest != 0 || low < 0 || high < low) {
      throw Error(ErrorCode::kUsage, fmt::format("--zips {}: \"{}\" is not a number or a range", text, part),
                  "", "Write it like 00-09,12.");
    }
    ranges.emplace_back(low, high);
    at = end + 1;
  }
  return [ranges](int64_t n) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const auto& r) { return n >= r.first && n <= r.second; });
  };
}

int ImportOsv5m(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data import osv5m --root DIR --out DIR [options]",
      "Imports OSV-5M as downloaded: DIR/<split>.csv and DIR/images/<split>/NN.zip, read in place.");
  options.visible().add_options()("root", po::value<std::string>()->required(), "folder of the download")(
      "split", po::value<std::string>()->default_value("train"), "train or test")(
      "csv", po::value<std::string>(), "the table, if it is not DIR/<split>.csv")(
      "zips", po::value<std::string>(),
      "only these archives, like 00-09: each is a sample of the whole world");
  AddCommonOptions(options.visible());
  if (!options.Parse(arguments)) return 0;
  const std::string root = RequireFolder(options.Get<std::string>("root")),
                    split = options.Get<std::string>("split");
  ImportOptions import = CommonOptions(options, "osv5m", split);
  import.writer.source_uri = "https://huggingface.co/datasets/osv5m/osv5m";
  import.writer.licence_note = "CC-BY-SA-4.0; images by their Mapillary authors, CC-BY-SA";
  const std::string folder = JoinPath(JoinPath(root, "images"), split);
  std::function<bool(int64_t)> wanted = [](int64_t) { return true; };
  if (options.Has("zips")) wanted = ParseNumbers(options.Get<std::string>("zips"));
  const std::vector<std::string> zips = FindFiles(folder, [&](const std::string& name) {
    return name.ends_with(".zip") && wanted(std::strtoll(name.c_str(), nullptr, 10));
  });
  const std::string csv =
      options.Has("csv") ? options.Get<std::string>("csv") : JoinPath(root, split + ".csv");
  if (!PosixFs().Exists(csv)) {
    std::vector<std::string> tables = PosixFs().List(root);
    std::erase_if(tables, [](const std::string& name) { return !name.ends_with(".csv"); });
    throw Error(ErrorCode::kUsage, "there is no such table", csv,
                fmt::format("--split names it; the folder has {}",
                            tables.empty() ? "none" : fmt::format("{}", fmt::join(tables, ", "))));
  }
  const auto source = [&](const std::vector<std::string>&) -> std::unique_ptr<ImageSource> {
    if (!zips.empty()) return MakeZipSource(zips);
    std::vector<std::string> names = ListFilesBelow(RequireFolder(folder));
    std::erase_if(names, [](const std::string& name) { return !HasJpegName(name); });
    if (names.empty()) throw Error(ErrorCode::kData, "holds neither NN.zip nor extracted images", folder);
    return MakeFileSource(folder, std::move(names));
  };
  return Import(options, import, {csv, MakeOsv5mLayout}, source, false);
}

int ImportMp16Pro(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data import mp16pro --root DIR --out DIR [options]",
      "Imports MP16-Pro as downloaded: DIR/mp-16-images00 and following, slices of one tar that are read in "
      "place,\nand DIR/metadata/MP16_Pro_filtered.csv. Images of 5,120 bytes and less, known placeholders, "
      "identical\nimages and rows without a country are left out and counted.");
  options.visible().add_options()("root", po::value<std::string>()->required(), "folder of the download")(
      "csv", po::value<std::string>(), "the table, if it is not the one in DIR/metadata")(
      "keep-without-country", po::bool_switch(), "keep rows that have coordinates but no country");
  AddCommonOptions(options.visible());
  if (!options.Parse(arguments)) return 0;
  const std::string root = RequireFolder(options.Get<std::string>("root"));
  ImportOptions import = CommonOptions(options, "mp16pro", "train");
  import.writer.source_uri = "https://huggingface.co/datasets/Jia-py/MP16-Pro";
  import.writer.licence_note =
      "images by their Flickr authors, Creative Commons, per photo; academic research";
  import.min_image_bytes = 5120;
  import.drop_identical = import.drop_placeholders = true;
  std::vector<std::string> slices =
      FindFiles(root, [](const std::string& name) { return name.starts_with("mp-16-images"); });
  if (slices.empty()) {
    throw Error(ErrorCode::kData, "no mp-16-images00 or mp-16-images.tar here", root,
                "Name the folder of the download.");
  }
  std::string csv = JoinPath(root, "metadata/MP16_Pro_filtered.csv");
  if (!PosixFs().Exists(csv)) csv = JoinPath(root, "metadata/MP16_Pro_places365.csv");
  if (options.Has("csv")) csv = options.Get<std::string>("csv");
  const bool keep = options.Get<bool>("keep-without-country");
  return Import(
      options, import, {csv, [keep](const CsvReader& table) { return MakeMp16ProLayout(table, keep); }},
      [&](const std::vector<std::string>&) { return MakeTarSource(slices); }, false);
}

int ImportFolder(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data import folder [--csv FILE] [--images DIR] --out DIR [options]",
      "Imports photos. The table needs a column of file names (image, file, path, ...) and of coordinates "
      "(lat,\nlon, ...); further columns named like the record schema are taken too. Without a table photos "
      "are placed by\ntheir EXIF position.");
  options.visible().add_options()("csv", po::value<std::string>(), "table of the photos")(
      "images", po::value<std::string>(),
      "folder that the file names are relative to; default: the table's folder")(
      "exif", po::bool_switch(), "take the EXIF position where the table has none")(
      "name", po::value<std::string>()->default_value("photos"), "name of the dataset")(
      "split", po::value<std::string>()->default_value("all"), "what to call this part");
  AddCommonOptions(options.visible());
  if (!options.Parse(arguments)) return 0;
  if (!options.Has("csv") && !options.Has("images")) {
    throw Error(ErrorCode::kUsage, "neither --csv nor --images is given", "",
                "`graticule data import folder --help` explains.");
  }
  ImportOptions import =
      CommonOptions(options, options.Get<std::string>("name"), options.Get<std::string>("split"));
  ImportTable table;
  if (options.Has("csv")) table.path = options.Get<std::string>("csv");
  std::string folder =
      options.Has("images") ? RequireFolder(options.Get<std::string>("images")) : DirName(table.path);
  if (folder.empty()) folder = ".";
  const bool exif = import.place_from_exif = options.Get<bool>("exif") || table.path.empty();
  import.list_below = folder;
  table.layout = [exif](const CsvReader& csv) { return MakeFolderLayout(csv, exif); };
  const auto source = [&](const std::vector<std::string>& ids) {
    std::vector<std::string> names = ids;
    if (table.path.empty()) {
      names = ListFilesBelow(folder);
      std::erase_if(names, [](const std::string& name) { return !HasJpegName(name); });
    }
    return MakeFileSource(folder, std::move(names));
  };
  return Import(options, import, table, source, true);
}

int Run(const std::vector<std::string>& arguments) {
  const std::string source = arguments.empty() ? "" : arguments[0];
  const std::vector<std::string> rest(arguments.empty() ? arguments.begin() : arguments.begin() + 1,
                                      arguments.end());
  if (source == "osv5m") return ImportOsv5m(rest);
  if (source == "mp16pro") return ImportMp16Pro(rest);
  if (source == "folder") return ImportFolder(rest);
  if (source == "--help" || source == "-h") {
    fmt::print(
        "usage: graticule data import osv5m | mp16pro | folder [options]\n\n`... --help` explains each.\n");
    return 0;
  }
  throw Error(ErrorCode::kUsage,
              source.empty() ? "no source is named" : fmt::format("unknown source \"{}\"", source), "",
              "Sources: osv5m, mp16pro, folder.");
}

}  // namespace

Verb DataImportVerb() {
  return {"data import", "turn a download (osv5m, mp16pro) or a folder of photos into a dataset", Run};
}

}  // namespace graticule
