// The CSV forms in which the originals keep geocells, told apart by their columns: ISN's S2 partitions (two
// lines of remarks above the header, CRLF), OSV-5M's quadtree, PIGEON's polygons (well-known text).
#include <fmt/format.h>

#include "base/csv.h"
#include "base/error.h"
#include "base/fs.h"
#include "geo/cell_columns.h"
#include "geo/s2_tokens.h"
#include "geo/wkt.h"

namespace graticule {
namespace {

// One line below the header, with its columns by name.
class Line {
 public:
  Line(const std::vector<std::string>& header, const std::vector<std::string>& fields, std::string where)
      : header_(header), fields_(fields), where_(std::move(where)) {
    if (fields.size() == header.size()) return;
    throw Error(
        ErrorCode::kData,
        fmt::format("{} fields; expected {} ({})", fields.size(), header.size(), fmt::join(header, ",")),
        where_);
  }

  const std::string& where() const { return where_; }

  // nullptr when there is none of these columns.
  const std::string* Find(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names)
      for (size_t i = 0; i < header_.size(); ++i)
        if (header_[i] == name) return &fields_[i];
    return nullptr;
  }
  const std::string& Text(std::string_view name) const { return *Find({name}); }

  double Number(std::string_view name) const { return Checked(ToDouble(Text(name)), name); }
  int64_t Integer(std::string_view name) const { return Checked(ToInt(Text(name)), name); }
  LatLon Place(std::string_view lat, std::string_view lon) const {
    const LatLon place{Number(lat), Number(lon)};
    if (IsValid(place)) return Normalised(place);
    throw Error(ErrorCode::kData,
                fmt::format("mean place ({}, {}); expected degrees", place.lat_deg, place.lon_deg), where_);
  }

  // Rows are classes: their numbers, where the form has them, must say the same.
  void CheckClass(std::string_view name, size_t expected) const {
    if (const int64_t label = Integer(name); label != static_cast<int64_t>(expected)) {
      throw Error(ErrorCode::kData,
                  fmt::format("{} {}; expected {} (0-based, in file order)", name, label, expected), where_);
    }
  }

 private:
  template <typename T>
  T Checked(std::optional<T> value, std::string_view column) const {
    if (value) return *value;
    throw Error(ErrorCode::kData, fmt::format("\"{}\" in column {}; expected a number", Text(column), column),
                where_);
  }

  const std::vector<std::string>& header_;
  const std::vector<std::string>& fields_;
  std::string where_;
};

void AddIsnRow(CellColumns& c, const Line& line) {
  line.CheckClass("class_label", c.centres.size());
  try {
    c.s2_ids.push_back(S2FromToken(line.Text("hex_id")));
  } catch (const Error& error) {
    throw Error(ErrorCode::kData, error.message(), line.where());
  }
  c.counts.push_back(line.Integer("imgs_per_cell"));
  c.centres.push_back(line.Place("latitude_mean", "longitude_mean"));
}

void AddOsvRow(CellColumns& c, const Line& line) {
  line.CheckClass("cluster_id", c.centres.size());
  c.boxes.push_back(
      {line.Number("min_lat"), line.Number("min_lon"), line.Number("max_lat"), line.Number("max_lon")});
  c.counts.push_back(0);  // the form has no counts
  c.centres.push_back(line.Place("mean_lat", "mean_lon"));
}

void AddPigeonRow(CellColumns& c, const Line& line) {
  std::vector<Ring> shape;
  try {
    shape = ParseWktShape(*line.Find({"polygon", "geometry", "wkt"}));
  } catch (const Error& error) {
    throw Error(ErrorCode::kData, error.message(), line.where(), error.hint());
  }
  for (const Ring& ring : shape) {
    c.ring_points.insert(c.ring_points.end(), ring.begin(), ring.end());
    c.ring_ends.push_back(std::ssize(c.ring_points));
    c.ring_cells.push_back(std::ssize(c.centres));
  }
  const bool has_centre = line.Find({"lat"}) != nullptr && line.Find({"lng"}) != nullptr;
  c.counts.push_back(line.Find({"size"}) != nullptr ? line.Integer("size") : 0);
  c.centres.push_back(has_centre ? line.Place("lat", "lng") : Normalised(PlanarCentroid(shape)));
}

struct Form {
  const char* name;
  const char* kind;
  std::vector<std::string_view> columns;  // all of them make the header of this form
  void (*add_row)(CellColumns&, const Line&);
};

const std::vector<Form>& Forms() {
  static const std::vector<Form> forms = {
      {"isn_csv",
       "s2",
       {"class_label", "hex_id", "imgs_per_cell", "latitude_mean", "longitude_mean"},
       AddIsnRow},
      {"osv5m_csv",
       "quadtree",
       {"cluster_id", "min_lat", "min_lon", "max_lat", "max_lon", "mean_lat", "mean_lon"},
       AddOsvRow},
      {"pigeon_csv", "polygon", {"polygon"}, AddPigeonRow},
      {"pigeon_csv", "polygon", {"geometry"}, AddPigeonRow},
      {"pigeon_csv", "polygon", {"wkt"}, AddPigeonRow}};
  return forms;
}

const Form* FormOf(const std::vector<std::string>& header) {
  for (const Form& form : Forms()) {
    const bool all = std::all_of(form.columns.begin(), form.columns.end(), [&](std::string_view column) {
      return std::find(header.begin(), header.end(), column) != header.end();
    });
    if (all) return &form;
  }
  return nullptr;
}

std::shared_ptr<const CellTable> MakeTable(CellColumns c, const CellTable* coarser) {
  c.parents.assign(c.centres.size(), -1);
  if (coarser != nullptr && (c.kind != "s2" || coarser->kind() != "s2")) {
    throw Error(ErrorCode::kUsage,
                fmt::format("cells of kind {} below cells of kind {}; only S2 cells have parents", c.kind,
                            coarser->kind()),
                c.where);
  }
  if (c.kind == "quadtree") {
    SnapToHalvings(c.boxes);
    return MakeQuadtreeTable(std::move(c));
  }
  if (c.kind == "polygon") return MakePolygonTable(std::move(c));
  if (coarser != nullptr) LinkParents(c, *coarser);
  return MakeS2Table(std::move(c));
}

std::string IsnCsv(const CellTable& table) {
  int64_t images = 0;
  for (int64_t count : table.counts()) images += count;
  std::string text = fmt::format("num_images: {}\r\nmin_concept_probability: ---\r\n{}\r\n", images,
                                 fmt::join(Forms()[0].columns, ","));
  for (int64_t row = 0; row < table.size(); ++row) {
    const LatLon centre = table.centres()[row];
    text += fmt::format("{},{},{},{},{}\r\n", row, S2Token(table.s2_ids()[row]), table.counts()[row],
                        centre.lat_deg, centre.lon_deg);
  }
  return text;
}

std::string OsvCsv(const CellTable& table) {
  std::string text = fmt::format("{}\n", fmt::join(Forms()[1].columns, ","));
  for (int64_t row = 0; row < table.size(); ++row) {
    const Ring box = table.Rings(row)[0];
    const LatLon centre = table.centres()[row];
    text += fmt::format("{},{},{},{},{},{},{}\n", row, box[0].lat_deg, box[0].lon_deg, box[2].lat_deg,
                        box[2].lon_deg, centre.lat_deg, centre.lon_deg);
  }
  return text;
}

std::string PigeonCsv(const CellTable& table) {
  std::string text = "cell_id,lng,lat,size,polygon\n";
  for (int64_t row = 0; row < table.size(); ++row) {
    const LatLon centre = table.centres()[row];
    text += fmt::format("{},{},{},{},\"{}\"\n", row, centre.lon_deg, centre.lat_deg, table.counts()[row],
                        WktOf(table.Rings(row)));
  }
  return text;
}

}  // namespace

std::shared_ptr<const CellTable> ImportCellCsv(const std::string& path, const CellTable* coarser) {
  return ParseCellCsv(ReadFileToString(path), path, coarser);
}

std::shared_ptr<const CellTable> ParseCellCsv(std::string_view text, const std::string& path,
                                              const CellTable* coarser) {
  CellColumns c;
  c.where = path;
  const Form* form = nullptr;
  std::vector<std::string> header, fields;
  int64_t line_number = 1;
  for (size_t begin = 0; begin < text.size();) {
    const std::string where = fmt::format("{}:{}", path, line_number);
    const size_t bytes = ScanCsvRecord(text.substr(begin), true, fields, where);
    const std::string_view record = text.substr(begin, bytes);
    if (form == nullptr) {
      form = FormOf(fields);
      header = fields;
    } else if (record.find_first_not_of("\r\n") != std::string_view::npos) {
      form->add_row(c, Line(header, fields, where));
    }
    line_number += std::count(record.begin(), record.end(), '\n');
    begin += bytes;
  }
  if (form == nullptr || c.centres.empty()) {
    throw Error(
        ErrorCode::kData, form != nullptr ? "no cells below the header" : "no header line", path,
        fmt::format("Expected one cell per line below a header with the columns {}; or {}; or polygon "
                    "(geometry, wkt) and, where known, lng, lat and size.",
                    fmt::join(Forms()[0].columns, ","), fmt::join(Forms()[1].columns, ",")));
  }
  c.kind = form->kind;
  c.options = fmt::format(R"({{"imported": "{}"}})", form->name);
  return MakeTable(std::move(c), coarser);
}

void ExportCellCsv(const CellTable& table, const std::string& path) {
  const std::string& kind = table.kind();
  WriteFileAtomically(PosixFs(), path,
                      kind == "s2"         ? IsnCsv(table)
                      : kind == "quadtree" ? OsvCsv(table)
                                           : PigeonCsv(table));
}

}  // namespace graticule
