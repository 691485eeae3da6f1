#include "data/import/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/import/layout_columns.h"
#include "data/shard/string_hash.h"

namespace graticule {
namespace {

class FolderLayout final : public Layout {
 public:
  FolderLayout(const CsvReader& csv, bool exif_fallback)
      : exif_fallback_(exif_fallback),
        id_(csv.Require(ImageNameColumns())),
        lat_(csv.FindAny({"lat", "latitude", "lat_deg"})),
        lon_(csv.FindAny({"lon", "lng", "long", "longitude", "lon_deg"})),
        country_(csv.FindAny({"country_iso", "country_code", "country"})),
        licence_(csv.FindAny({"licence", "license"})),
        named_(FindNamed(csv, {{"continent", Col::kContinent},
                               {"region", Col::kRegion},
                               {"subregion", Col::kSubregion},
                               {"city", Col::kCity},
                               {"creator", Col::kCreator}})) {
    if (!exif_fallback || lat_.has_value() != lon_.has_value()) {
      lat_ = csv.Require({"lat", "latitude", "lat_deg"});
      lon_ = csv.Require({"lon", "lng", "long", "longitude", "lon_deg"});
    }
    for (size_t c = 0; c < csv.header().size(); ++c) {
      if (const ColumnSpec* spec = FindEnrichment(csv.header()[c])) straight_.push_back({c, spec});
    }
  }
  size_t id_column() const override { return id_; }
  std::string Key(std::string_view id) const override {
    while (id.starts_with("./")) id.remove_prefix(2);
    return std::string(id);
  }
  // As a walk through the folder names the file.
  std::string Id(const Fields& fields) const override { return Key(fields[id_]); }
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport& report) const override {
    const bool blank = !lat_ || (IsMissing(row.fields[*lat_]) && IsMissing(row.fields[*lon_]));
    if (!(blank && exif_fallback_) && !ScanPlace(row, *lat_, *lon_, row.fields[id_], report)) return false;
    InternAll(named_, row.fields, dictionaries, nullptr);
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport& report,
           RecordRow& out) const override {
    const std::string& id = fields[id_];
    SetDigits(Stem(id), out);
    if (lat_) {
      if (const auto place = ToPlace(fields[*lat_], fields[*lon_])) SetPlace(*place, out);
    }
    // A column of country names is common; only codes are understood.
    SetStraight(straight_, fields, id, report, out);
    if (const std::string_view code = FieldAt(fields, country_); code.size() == 2)
      SetCountry(code, id, report, out);
    InternAll(named_, fields, dictionaries, &out);
    if (const std::string_view licence = FieldAt(fields, licence_); !IsMissing(licence)) {
      if (const int code = LicenceCode(licence); code != 0)
        out.SetInt(Col::kLicence, code);
      else
        report.Count("bad_value", fmt::format("{}: licence = \"{}\"", id, licence));
    }
  }

 private:
  // As the column's description numbers them.
  static int LicenceCode(std::string_view name) {
    if (name == "CC-BY-SA-4.0") return 1;
    if (name == "CC-BY-SA-2.0") return 2;
    if (name == "CC-BY-4.0") return 3;
    if (name == "CC-BY") return 4;
    return name.starts_with("CC-") || name == "other" ? 5 : 0;
  }

  bool exif_fallback_;
  size_t id_;
  std::optional<size_t> lat_, lon_, country_, licence_;
  std::vector<Named> named_;
  std::vector<Straight> straight_;
};

// The values a column may take, where that is narrower than its type.
std::pair<double, double> RangeOf(Col col) {
  switch (col) {
    case Col::kMonth:
      return {1, 12};
    case Col::kHourLocal:
      return {0, 23};
    case Col::kClimate:
      return {0, 30};
    case Col::kDriveLeft:
      return {0, 1};
    case Col::kScene3:
    case Col::kScene16:
    case Col::kLandcover:
    case Col::kSoil:
      return {0, 254};
    case Col::kScene365:
      return {0, 65534};
    case Col::kCapturedMs:
      return {-6e13, 2.5e14};  // about the years 70 to 9900: those that calendars here handle
    default:
      return {0, 2147483647};
  }
}

}  // namespace

const std::vector<std::string>& ImageNameColumns() {
  static const std::vector<std::string> names = {"image",  "file",     "filename", "file_name", "path",
                                                 "img_id", "image_id", "name",     "id"};
  return names;
}

std::unique_ptr<Layout> MakeFolderLayout(const CsvReader& csv, bool exif_fallback) {
  return std::make_unique<FolderLayout>(csv, exif_fallback);
}

std::string Stem(std::string_view path) {
  path = path.substr(path.rfind('/') + 1);
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return std::string(path);
  std::string extension(path.substr(dot + 1));
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  // Only image extensions are cut off: ids may hold dots.
  return std::string(extension == "jpg" || extension == "jpeg" ? path.substr(0, dot) : path);
}

uint64_t NameHash(std::string_view text) {
  if (IsMissing(text)) return 0;
  const uint64_t hash = Xxh64(text);
  return hash == 0 ? 1 : hash;
}

std::optional<LatLon> ToPlace(std::string_view lat, std::string_view lon) {
  const std::optional<double> lat_deg = ToDouble(lat), lon_deg = ToDouble(lon);
  if (!lat_deg || !lon_deg || !IsValid({*lat_deg, *lon_deg})) return std::nullopt;
  return Normalised({*lat_deg, *lon_deg});
}

void SetFromText(const ColumnSpec& spec, std::string_view field, std::string_view id, ImportReport& report,
                 RecordRow& out) {
  if (IsMissing(field)) return;
  if (IsFloat(spec.type)) {
    const std::optional<double> value = ToDouble(field);
    // In 32 bits too, which most columns have.
    if (value && std::isfinite(static_cast<float>(*value))) return out.SetFloat(spec.col, *value);
  } else {
    const std::optional<int64_t> value = ToInt(field);
    const auto [least, greatest] = RangeOf(spec.col);
    const double real = value ? static_cast<double>(*value) : 0;
    if (value && real >= least && real <= greatest) return out.SetInt(spec.col, *value);
  }
  report.Count("bad_value", fmt::format("{}: {} = \"{}\"", id, LeafName(spec.path), field));
}

}  // namespace graticule
