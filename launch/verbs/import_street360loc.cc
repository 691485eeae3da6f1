// Street360Loc: places with four views and a description each, out of a workbook.
#include "data/import/street360loc.h"

#include <fmt/format.h>

#include "launch/verbs/import_command.h"

namespace graticule {
namespace {

// In the folder of the download, or its folder `dataset`.
std::string WorkbookBelow(const std::string& root, const std::string& name) {
  for (const std::string& path : {JoinPath(root, "dataset/" + name), JoinPath(root, name)})
    if (PosixFs().Exists(path)) return path;
  throw Error(ErrorCode::kData, fmt::format("no {} here, nor in dataset/", name), root,
              "Fetch it, or name it with --xlsx.");
}

}  // namespace

int ImportStreet360loc(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  Options options(
      "graticule data import street360loc --root DIR --split train|val|test --out DIR [options]",
      "Imports Street360Loc with its descriptions: DIR/dataset/<split>_description.xlsx and the images "
      "<index>_<pos>.jpg\nanywhere below DIR/Street360Loc_images (unpack the archive first).");
  options.visible().add_options()("root", po::value<std::string>()->required(), "folder of the download")(
      "split", po::value<std::string>()->default_value("train"), "train, val or test")(
      "xlsx", po::value<std::string>(), "the workbook, if it is not in DIR/dataset or DIR")(
      "images", po::value<std::string>(), "folder of the images, if not DIR/Street360Loc_images")(
      "keep-refusals", po::bool_switch(), "keep descriptions whose writer says that it sees no image")(
      "keep-overlap", po::bool_switch(), "keep the places of train that val has too");
  AddCommonOptions(options.visible());
  if (!options.Parse(arguments)) return 0;
  const std::string root = RequireFolder(options.Get<std::string>("root"));
  const std::string split = options.Choice("split", {"train", "val", "test"});
  const std::string name = split + "_description.xlsx";
  ImportTable table;
  table.path =
      options.Has("xlsx") ? RequireFile(options.Get<std::string>("xlsx")) : WorkbookBelow(root, name);
  std::string images = JoinPath(root, "Street360Loc_images");
  if (options.Has("images")) {
    images = RequireFolder(options.Get<std::string>("images"));
  } else if (!PosixFs().IsDirectory(images)) {
    throw Error(ErrorCode::kData, "there is no such folder of images", images,
                "Fetch it, or name it with --images.");
  }
  ImportReport of_rows;
  table.text = Street360ToCsv(ReadXlsx(table.path), table.path, split,
                              {.keep_refusals = options.Get<bool>("keep-refusals"),
                               .keep_overlap = options.Get<bool>("keep-overlap")},
                              of_rows);
  table.layout = MakeStreet360Layout;
  table.check = [&](int64_t, ImportReport& report) { report.Add(of_rows); };
  ImportOptions import = CommonOptions(options, "street360loc", split);
  import.writer.licence_note = "Google Street View images, generated descriptions: not to be passed on";
  const auto source = [&](const std::vector<std::string>& ids) {
    return MakeKeyedFileSource(images, ids, false, Stem);
  };
  return Import(options, import, table, source, true);
}

}  // namespace graticule
