// The test sets of the field, places without images, and Global Streetscapes.
#include <fmt/format.h>

#include <algorithm>

#include "data/import/info_json.h"
#include "launch/verbs/import_command.h"

namespace graticule {
namespace {

namespace po = boost::program_options;

struct Benchmark {
  const char* name;
  int64_t rows;  // of the published table
  const char* images;
  std::vector<const char*> tables;  // below the root, the first that is there
  bool photo_id_key;
};

const Benchmark& BenchmarkOf(const std::string& name) {
  static const std::vector<Benchmark> all = {
      {"im2gps", 237, "gps_query_imgs", {"im2gps_places365.csv", "im2gps.csv", "info.json"}, false},
      {"im2gps3k", 2'997, "im2gps3ktest", {"im2gps3k_places365.csv", "im2gps3k.csv", "info.json"}, false},
      {"yfcc4k", 4'536, "yfcc4k", {"yfcc4k_places365.csv", "yfcc4k.csv", "info.txt"}, true},
      {"yfcc26k", 25'600, "yfcc26k", {"yfcc25600_places365.csv", "yfcc26k.csv"}, true},
  };
  return *std::find_if(all.begin(), all.end(), [&](const Benchmark& b) { return b.name == name; });
}

// The headerless table of YFCC4K: 23 columns of a YFCC100M extract.
std::vector<std::string> InfoColumns() {
  std::vector<std::string> names;
  for (int i = 0; i < 25; ++i) names.push_back(fmt::format("column_{}", i));
  names[1] = "name";
  names[3] = "OwnerNSID";
  names[12] = "lon";
  names[13] = "lat";
  return names;
}

std::string TableOf(const Benchmark& benchmark, const std::string& root) {
  for (const char* name : benchmark.tables)
    if (PosixFs().Exists(JoinPath(root, name))) return JoinPath(root, name);
  throw Error(ErrorCode::kData, fmt::format("no table of {} here", benchmark.name), root,
              fmt::format("Expected {}, or name it with --csv.", fmt::join(benchmark.tables, " or ")));
}

// Two published mix-ups are refused: the table of the other YFCC set, and swapped coordinates.
void CheckTable(const Benchmark& benchmark, const std::string& path, int64_t rows, ImportReport& report) {
  const int64_t yfcc4k = 4'536, yfcc26k = 25'600;
  const std::string name = benchmark.name;
  if ((name == "yfcc4k" && rows == yfcc26k) || (name == "yfcc26k" && rows == yfcc4k)) {
    throw Error(
        ErrorCode::kData,
        fmt::format("the table has {} rows: it is that of {}", rows, name == "yfcc4k" ? "YFCC26K" : "YFCC4K"),
        path, "A well-known link points to the wrong file; look for the other one.");
  }
  const int64_t bad = report.count("bad_coordinates");
  if (bad * 20 > rows) {
    throw Error(ErrorCode::kData, fmt::format("{} of {} rows have impossible coordinates", bad, rows), path,
                "A table of 2018 has LAT and LON swapped; use the corrected one.");
  }
  report.CompareRows(rows, benchmark.rows);
}

}  // namespace

int ImportBenchmark(const std::string& name, const std::vector<std::string>& arguments) {
  const Benchmark& benchmark = BenchmarkOf(name);
  Options options(
      fmt::format("graticule data import {} --root DIR --out DIR [options]", name),
      fmt::format(
          "Imports {} as downloaded: DIR/{}, and the images of the zip beside it or anywhere below DIR. "
          "Rows\nwithout an image and images without a row are counted; the published table has {} rows.",
          name, benchmark.tables[0], benchmark.rows));
  options.visible().add_options()("root", po::value<std::string>()->required(), "folder of the download")(
      "csv", po::value<std::string>(), "the table, if it is not in DIR under its published name")(
      "images", po::value<std::string>(), "folder of the images, if not DIR");
  AddCommonOptions(options.visible());
  if (!options.Parse(arguments)) return 0;
  const std::string root = RequireFolder(options.Get<std::string>("root"));
  const std::string folder = options.Has("images") ? RequireFolder(options.Get<std::string>("images")) : "";
  ImportOptions import = CommonOptions(options, name, "test");
  import.writer.licence_note = "images by their Flickr authors, Creative Commons, per photo";
  ImportTable table;
  table.path = options.Has("csv") ? RequireFile(options.Get<std::string>("csv")) : TableOf(benchmark, root);
  if (table.path.ends_with(".txt")) table.csv = {'\t', InfoColumns()};
  if (table.path.ends_with(".json"))
    table.text = InfoJsonToCsv(ReadFileToString(table.path, 64 << 20), table.path);
  table.layout = [&](const CsvReader& csv) { return MakeBenchmarkLayout(csv, benchmark.photo_id_key); };
  table.check = [&](int64_t rows, ImportReport& report) { CheckTable(benchmark, table.path, rows, report); };
  const std::vector<std::string> zips =
      FindFiles(root, [](const std::string& file) { return file.ends_with(".zip"); });
  const bool zipped = folder.empty() && !zips.empty();
  if (!zipped) import.list_below = folder.empty() ? root : folder;
  const auto key = [&](std::string_view id) { return BenchmarkKey(id, benchmark.photo_id_key); };
  const auto source = [&](const std::vector<std::string>& ids) {
    if (zipped) return MakeZipSource(zips);
    std::vector<std::string> keys;
    for (const std::string& id : ids) keys.push_back(key(id));
    return MakeKeyedFileSource(import.list_below, keys, false, key);
  };
  return Import(options, import, table, source, true);
}

int ImportCoordinates(const std::vector<std::string>& arguments) {
  Options options(
      "graticule data import coordinates --csv FILE --out DIR [options]",
      "Imports places without images, such as the list of GWS15k: for geocells, galleries and baselines.\n"
      "The table needs a column of ids and of coordinates; `train` and `eval` pass such records over.");
  options.visible().add_options()("csv", po::value<std::string>()->required(), "table of places")(
      "name", po::value<std::string>()->default_value("places"), "name of the dataset")(
      "split", po::value<std::string>()->default_value("all"), "what to call this part");
  AddCommonOptions(options.visible());
  if (!options.Parse(arguments)) return 0;
  const ImportOptions import =
      CommonOptions(options, options.Get<std::string>("name"), options.Get<std::string>("split"));
  ImportTable table;
  table.path = RequireFile(options.Get<std::string>("csv"));
  table.layout = [](const CsvReader& csv) { return MakeFolderLayout(csv, false); };
  const auto source = [](const std::vector<std::string>& ids) {
    return MakeKeyedFileSource("", ids, true, Stem);
  };
  return Import(options, import, table, source, true);
}

int ImportStreetscapes(const std::vector<std::string>& arguments) {
  Options options("graticule data import streetscapes --root DIR [--images DIR] --out DIR [options]",
                  "Imports NUS Global Streetscapes: the tables in DIR or DIR/data "
                  "(metadata_common_attributes and, where they are\n"
                  "there, simplemaps, contextual and metadata_mly3), joined by uuid, and images found below "
                  "--images by uuid.\n"
                  "Images are downloaded per photo and many are gone: rows without one are counted, and kept "
                  "on request.");
  options.visible().add_options()("root", po::value<std::string>()->required(), "folder of the tables")(
      "images", po::value<std::string>(), "folder of the images (default: DIR/images)")(
      "keep-without-image", po::bool_switch(), "keep rows whose image is not there, for cells and galleries");
  AddCommonOptions(options.visible());
  if (!options.Parse(arguments)) return 0;
  const std::string root = RequireFolder(options.Get<std::string>("root"));
  // Some copies number the tables: 02_metadata_common_attributes.csv.
  const auto find = [&](const std::string& stem) -> std::string {
    for (const std::string& folder : {JoinPath(root, "data"), root}) {
      const auto files = FindFiles(folder, [&](const std::string& name) {
        return name == stem + ".csv" || name.ends_with("_" + stem + ".csv");
      });
      if (!files.empty()) return files[0];
    }
    return "";
  };
  ImportTable table{find("metadata_common_attributes"), MakeStreetscapesLayout};
  if (table.path.empty()) {
    throw Error(ErrorCode::kData, "no metadata_common_attributes.csv here, nor in data/", root,
                "Name the folder of the download.");
  }
  using MakeLayout = std::unique_ptr<Layout> (*)(const CsvReader&);
  const std::pair<const char*, MakeLayout> sides[] = {{"simplemaps", MakeStreetscapesCityLayout},
                                                      {"contextual", MakeStreetscapesContextLayout},
                                                      {"metadata_mly3", MakeStreetscapesCreatorLayout}};
  for (const auto& [stem, layout] : sides) {
    if (const std::string path = find(stem); !path.empty()) table.sides.push_back({path, layout});
  }
  ImportOptions import = CommonOptions(options, "streetscapes", "all");
  import.writer.source_uri = "https://huggingface.co/datasets/NUS-UAL/global-streetscapes";
  import.writer.licence_note = "CC-BY-SA-4.0; images by their Mapillary and KartaView authors";
  std::string images =
      options.Has("images") ? RequireFolder(options.Get<std::string>("images")) : JoinPath(root, "images");
  const bool keep = options.Get<bool>("keep-without-image");
  if (!PosixFs().IsDirectory(images)) {
    if (!keep) {
      throw Error(ErrorCode::kData, "there is no such folder of images", images,
                  "Name it with --images, or import the places alone with --keep-without-image.");
    }
    images.clear();
  }
  import.list_below = images;
  const auto source = [&](const std::vector<std::string>& ids) {
    return MakeKeyedFileSource(images, ids, keep, Stem);
  };
  return Import(options, import, table, source, true);
}

}  // namespace graticule
