#include "launch/verbs/data_import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "data/import/archive.h"
#include "launch/verbs/import_command.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

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

struct Osv5mSplit {
  const char* name;
  int64_t rows;
  int zips;
};
// As published (Hugging Face, osv5m/osv5m).
constexpr Osv5mSplit kOsv5mSplits[] = {{"train", 4'894'685, 98}, {"test", 210'122, 5}};

// What of the published split is here, of the zips `wanted`; none where the images were extracted.
void CompareOsv5m(const std::string& split, const std::function<bool(int64_t)>& wanted,
                  const std::vector<std::string>& zips, int64_t rows, ImportReport& report) {
  for (const Osv5mSplit& published : kOsv5mSplits) {
    if (published.name != split) continue;
    report.CompareRows(rows, published.rows);
    if (zips.empty()) continue;
    std::vector<std::string> names, found;
    for (int i = 0; i < published.zips; ++i) names.push_back(fmt::format("{:02}.zip", i));
    for (const std::string& zip : zips) found.push_back(BaseName(zip));
    report.CompareFiles(
        "zips of " + split, names, [&](size_t i) { return wanted(static_cast<int64_t>(i)); }, found);
  }
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
                    split = options.Choice("split", {"train", "test"});
  ImportOptions import = CommonOptions(options, "osv5m", split);
  import.writer.source_uri = "https://huggingface.co/datasets/osv5m/osv5m";
  import.writer.licence_note = "CC-BY-SA-4.0; images by their Mapillary authors, CC-BY-SA";
  const std::string folder = JoinPath(JoinPath(root, "images"), split);
  std::function<bool(int64_t)> wanted = [](int64_t) { return true; };
  if (options.Has("zips")) wanted = ParseNumbers(options.Get<std::string>("zips"));
  const std::vector<std::string> zips = FindFiles(folder, [&](const std::string& name) {
    return name.ends_with(".zip") && wanted(std::strtoll(name.c_str(), nullptr, 10));
  });
  const std::string csv = FindTable(options, JoinPath(root, split + ".csv"));
  const auto source = [&](const std::vector<std::string>&) -> std::unique_ptr<ImageSource> {
    if (!zips.empty()) return MakeZipSource(zips);
    std::vector<std::string> names;
    if (PosixFs().IsDirectory(folder)) names = ListFilesBelow(folder);
    std::erase_if(names, [](const std::string& name) { return !HasJpegName(name); });
    if (names.empty()) {
      throw Error(
          ErrorCode::kData,
          fmt::format("holds neither {} nor extracted images",
                      options.Has("zips") ? "a zip of --zips " + options.Get<std::string>("zips") : "NN.zip"),
          folder, "Fetch images/" + split + "/00.zip and following, as many as are wanted.");
    }
    return MakeFileSource(folder, std::move(names));
  };
  ImportTable table{csv, MakeOsv5mLayout};
  table.check = [&](int64_t rows, ImportReport& report) { CompareOsv5m(split, wanted, zips, rows, report); };
  import.part_of_images = options.Has("zips");
  return Import(options, import, table, source, false);
}

int ImportOsvMini(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data import osv-mini --root DIR --out DIR [options]",
      "Imports the subset of 129,000 images of OSV-5M: DIR/<split>_mini.csv, and images anywhere below\n"
      "DIR/<split>_images or DIR itself, found by file name.");
  options.visible().add_options()("root", po::value<std::string>()->required(), "folder of the download")(
      "split", po::value<std::string>()->default_value("train"), "train, val or test")(
      "csv", po::value<std::string>(), "the table, if it is not DIR/<split>_mini.csv");
  AddCommonOptions(options.visible());
  if (!options.Parse(arguments)) return 0;
  const std::string root = RequireFolder(options.Get<std::string>("root")),
                    split = options.Choice("split", {"train", "val", "test"});
  ImportOptions import = CommonOptions(options, "osv-mini", split);
  import.writer.licence_note = "CC-BY-SA-4.0; images by their Mapillary authors, CC-BY-SA";
  const std::string own = JoinPath(root, split + "_images");
  const std::string folder = import.list_below = PosixFs().IsDirectory(own) ? own : root;
  const auto source = [&](const std::vector<std::string>& ids) {
    return MakeKeyedFileSource(folder, ids, false, Stem);
  };
  const std::string csv = FindTable(options, JoinPath(root, split + "_mini.csv"));
  return Import(options, import, {csv, MakeOsv5mLayout}, source, true);
}

constexpr int kMp16ProSlices = 19;

// The tar, or its slices in their order. What a downloader leaves beside them is none; without one of them
// the next would be read in the middle of an image.
std::vector<std::string> Mp16ProSlices(const std::string& root) {
  const std::string prefix = "mp-16-images";
  const std::vector<std::string> slices = FindFiles(root, [&](const std::string& name) {
    return name == prefix + ".tar" ||
           (name.size() == prefix.size() + 2 && name.starts_with(prefix) &&
            name.find_first_not_of("0123456789", prefix.size()) == std::string::npos);
  });
  if (slices.empty()) {
    throw Error(ErrorCode::kData, "no mp-16-images00 or mp-16-images.tar here", root,
                "Name the folder of the download.");
  }
  if (BaseName(slices.front()) == prefix + ".tar") {
    CheckTarSlices({slices.front()});
    return {slices.front()};
  }
  for (size_t i = 0; i < slices.size(); ++i) {
    const std::string expected = fmt::format("{}{:02}", prefix, i);
    if (BaseName(slices[i]) != expected)
      throw Error(ErrorCode::kData, fmt::format("slice {} is missing", expected), root,
                  fmt::format("Fetch it; {} slices are published.", kMp16ProSlices));
  }
  CheckTarSlices(slices);
  return slices;
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
  const std::vector<std::string> slices = Mp16ProSlices(root);
  std::string expected = JoinPath(root, "metadata/MP16_Pro_filtered.csv");
  const std::string full = JoinPath(root, "metadata/MP16_Pro_places365.csv");
  if (!PosixFs().Exists(expected) && PosixFs().Exists(full)) expected = full;
  const std::string csv = FindTable(options, expected);
  const bool keep = options.Get<bool>("keep-without-country");
  ImportTable table{csv, [keep](const CsvReader& opened) { return MakeMp16ProLayout(opened, keep); }};
  // No count of rows: those of the card and of the paper differ, and both tables are in use.
  table.check = [&](int64_t, ImportReport& report) {
    report.SetTotal("slices", std::ssize(slices));
    report.SetTotal("slices published", kMp16ProSlices);
  };
  return Import(
      options, import, table, [&](const std::vector<std::string>&) { return MakeTarSource(slices); }, false);
}

int ImportFolder(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data import folder [--csv FILE] [--images DIR] --out DIR [options]",
      "Imports photos. The table needs a column of file names (image, file, path, ...) and of coordinates "
      "(lat,\nlon, ...); country (a code), creator, licence, and columns named like those of /aux, /time, "
      "/scene and /adm\nare taken too. Without a table photos "
      "are placed by\ntheir EXIF position.");
  options.visible().add_options()("csv", po::value<std::string>(), "table of the photos")(
      "images", po::value<std::string>(),
      "folder that file names, which are the ids, are relative to; default: the table's folder")(
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
  if (options.Has("csv")) table.path = RequireFile(options.Get<std::string>("csv"));
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

struct Source {
  const char* name;
  const char* what;
  std::function<int(const std::vector<std::string>&)> import;
};

const std::vector<Source>& Sources() {
  const auto benchmark = [](const char* name) {
    return [name](const std::vector<std::string>& arguments) { return ImportBenchmark(name, arguments); };
  };
  static const std::vector<Source> sources = {
      {"osv5m", "OSV-5M: zips and a table, read in place", ImportOsv5m},
      {"osv-mini", "OSV-mini-129k", ImportOsvMini},
      {"mp16pro", "MP16-Pro: slices of one tar, read in place", ImportMp16Pro},
      {"streetscapes", "NUS Global Streetscapes: joined tables, images by uuid", ImportStreetscapes},
      {"street360loc", "Street360Loc: four views of each place with descriptions, out of a workbook",
       ImportStreet360loc},
      {"im2gps", "IM2GPS test set (237 photos)", benchmark("im2gps")},
      {"im2gps3k", "IM2GPS3K test set (2,997 photos with a place)", benchmark("im2gps3k")},
      {"yfcc4k", "YFCC4K test set (4,536 photos)", benchmark("yfcc4k")},
      {"yfcc26k", "YFCC26K validation set (25,600 photos)", benchmark("yfcc26k")},
      {"folder", "photos and a CSV, or photos with EXIF positions", ImportFolder},
      {"coordinates", "places without images, for cells and galleries", ImportCoordinates},
  };
  return sources;
}

int Run(const std::vector<std::string>& arguments) {
  const std::string name = arguments.empty() ? "" : arguments[0];
  const std::vector<std::string> rest(arguments.empty() ? arguments.begin() : arguments.begin() + 1,
                                      arguments.end());
  std::vector<std::string> names;
  for (const Source& source : Sources()) {
    if (source.name == name) return source.import(rest);
    names.push_back(source.name);
  }
  if (name == "--help" || name == "-h") {
    fmt::print("usage: graticule data import <source> [options]\n\n");
    for (const Source& source : Sources()) fmt::print("  {:<14} {}\n", source.name, source.what);
    fmt::print("\n`graticule data import <source> --help` explains one.\n");
    return 0;
  }
  const std::string nearest = Nearest(name, names);
  throw Error(ErrorCode::kUsage,
              name.empty() ? "no source is named"
                           : fmt::format("unknown source \"{}\"{}", name,
                                         nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest)),
              "", fmt::format("Sources: {}.", fmt::join(names, ", ")));
}

}  // namespace

Verb DataImportVerb() { return {"data import", "turn a download or a folder of photos into a dataset", Run}; }

}  // namespace graticule
