#include "data/import/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include "data/country.h"
#include "data/import/string_hash.h"
#include "geo/latlon.h"

namespace graticule {
namespace {

using Fields = std::vector<std::string>;

// Reads numbers and names out of a row by column name; absent columns read as empty.
class Columns {
 public:
  explicit Columns(const CsvReader& csv) : csv_(csv) {}
  std::optional<size_t> operator[](const char* name) const { return csv_.FindAny({name}); }
  static std::string_view Get(const Fields& fields, std::optional<size_t> column) {
    return column ? std::string_view(fields[*column]) : std::string_view();
  }

 private:
  const CsvReader& csv_;
};

// A table column that goes straight into a shard column.
struct Straight {
  size_t from;
  const ColumnSpec* to;
};
std::vector<Straight> FindStraight(const CsvReader& csv,
                                   const std::vector<std::pair<const char*, Col>>& pairs) {
  std::vector<Straight> found;
  for (const auto& [name, col] : pairs) {
    if (const auto column = csv.FindAny({name})) found.push_back({*column, &SpecOf(col)});
  }
  return found;
}

// A table column whose text goes into a dictionary.
struct Named {
  size_t from;
  Col to;
};
std::vector<Named> FindNamed(const CsvReader& csv, const std::vector<std::pair<const char*, Col>>& pairs) {
  std::vector<Named> found;
  for (const auto& [name, col] : pairs) {
    if (const auto column = csv.FindAny({name})) found.push_back({*column, col});
  }
  return found;
}

void InternAll(const std::vector<Named>& columns, const Fields& fields, Dictionaries& dictionaries,
               RecordRow* out) {
  for (const Named& column : columns) {
    const std::string& text = fields[column.from];
    // "NA" is a name here: Namibia's country key. Only the empty field and the spelled-out NaN are missing.
    if (text.empty() || text == "NaN" || text == "nan") continue;
    const uint32_t number = dictionaries[DictionaryLevel(column.to)].Intern(text);
    if (out != nullptr) out->SetInt(column.to, number);
  }
}

void SetCountry(std::string_view code, std::string_view id, ImportReport& report, RecordRow& out) {
  if (code.empty()) return;
  const uint16_t numeric = NumericCountry(code);
  if (numeric == 0) report.Count("unknown_country", fmt::format("{}: {}", id, code));
  out.SetInt(Col::kCountryIso, numeric);
}

void SetPlace(LatLon place, RecordRow& out) {
  out.SetFloat(Col::kLat, place.lat_deg);
  out.SetFloat(Col::kLon, place.lon_deg);
}

void SetDigits(std::string_view text, RecordRow& out) {
  const bool digits = !text.empty() && text.size() <= 18 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) out.SetInt(Col::kIdU64, *ToInt(text));
}

// Month of an instant in UTC, 1..12.
int MonthOf(int64_t captured_ms) {
  using namespace std::chrono;
  const sys_days day = floor<days>(sys_time<milliseconds>(milliseconds(captured_ms)));
  return static_cast<int>(static_cast<unsigned>(year_month_day(day).month()));
}

bool ScanPlace(const CsvRow& row, size_t lat, size_t lon, const std::string& id, ImportReport& report) {
  if (ToPlace(row.fields[lat], row.fields[lon])) return true;
  report.Count("bad_coordinates",
               fmt::format("line {}, id {}: \"{}\", \"{}\"", row.line, id, row.fields[lat], row.fields[lon]));
  return false;
}

class Osv5mLayout final : public Layout {
 public:
  explicit Osv5mLayout(const CsvReader& csv)
      : id_(csv.Require({"id"})),
        lat_(csv.Require({"latitude"})),
        lon_(csv.Require({"longitude"})),
        country_(csv.FindAny({"country"})),
        captured_(csv.FindAny({"captured_at"})),
        sequence_(csv.FindAny({"sequence"})),
        creator_id_(csv.FindAny({"creator_id"})),
        straight_(FindStraight(csv, {{"climate", Col::kClimate},
                                     {"land_cover", Col::kLandcover},
                                     {"soil", Col::kSoil},
                                     {"drive_side", Col::kDriveLeft},
                                     {"road_index", Col::kRoadIndex},
                                     {"dist_sea", Col::kDistSea},
                                     {"quadtree_10_500", Col::kQuadtree500},
                                     {"quadtree_10_1000", Col::kQuadtree1000},
                                     {"quadtree_10_2500", Col::kQuadtree2500},
                                     {"quadtree_10_5000", Col::kQuadtree5000},
                                     {"quadtree_10_12500", Col::kQuadtree12500},
                                     {"quadtree_10_25000", Col::kQuadtree25000},
                                     {"quadtree_10_50000", Col::kQuadtree50000}})),
        named_(FindNamed(csv, {{"unique_country", Col::kCountry},
                               {"unique_region", Col::kRegion},
                               {"unique_sub-region", Col::kSubregion},
                               {"unique_city", Col::kCity},
                               {"creator_username", Col::kCreator}})) {}
  size_t id_column() const override { return id_; }
  std::string Key(std::string_view id) const override { return Stem(id); }
  std::string Id(const Fields& fields) const override { return fields[id_]; }
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport& report) const override {
    if (!ScanPlace(row, lat_, lon_, row.fields[id_], report)) return false;
    InternAll(named_, row.fields, dictionaries, nullptr);
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport& report,
           RecordRow& out) const override {
    const std::string& id = fields[id_];
    SetDigits(id, out);
    SetPlace(*ToPlace(fields[lat_], fields[lon_]), out);
    SetCountry(Columns::Get(fields, country_), id, report, out);
    InternAll(named_, fields, dictionaries, &out);
    for (const Straight& s : straight_) SetFromText(*s.to, fields[s.from], id, report, out);
    if (captured_) SetFromText(SpecOf(Col::kCapturedMs), fields[*captured_], id, report, out);
    if (!out.IsMissing(Col::kCapturedMs)) out.SetInt(Col::kMonth, MonthOf(out.Int(Col::kCapturedMs)));
    out.SetInt(Col::kSeqHash, static_cast<int64_t>(NameHash(Columns::Get(fields, sequence_))));
    if (const std::string_view creator = Columns::Get(fields, creator_id_); !IsMissing(creator)) {
      // Written as a float in the published tables.
      const std::optional<int64_t> number = ToInt(creator);
      out.SetInt(Col::kAuthorHash,
                 static_cast<int64_t>(
                     NameHash("mapillary:" + (number ? std::to_string(*number) : std::string(creator)))));
    }
    out.SetInt(Col::kLicence, 1);
  }

 private:
  size_t id_, lat_, lon_;
  std::optional<size_t> country_, captured_, sequence_, creator_id_;
  std::vector<Straight> straight_;
  std::vector<Named> named_;
};

class Mp16ProLayout final : public Layout {
 public:
  Mp16ProLayout(const CsvReader& csv, bool keep_without_country)
      : keep_without_country_(keep_without_country),
        id_(csv.Require({"IMG_ID"})),
        lat_(csv.Require({"LAT"})),
        lon_(csv.Require({"LON"})),
        author_(csv.FindAny({"AUTHOR"})),
        country_(csv.FindAny({"country"})),
        country_code_(csv.FindAny({"country_code"})),
        straight_(FindStraight(csv, {{"S3_Label", Col::kScene3},
                                     {"S16_Label", Col::kScene16},
                                     {"S365_Label", Col::kScene365},
                                     {"Prob_indoor", Col::kProbIndoor},
                                     {"Prob_natural", Col::kProbNatural},
                                     {"Prob_urban", Col::kProbUrban}})),
        named_(FindNamed(csv, {{"continent", Col::kContinent},
                               {"country", Col::kCountry},
                               {"state", Col::kRegion},
                               {"county", Col::kSubregion},
                               {"city", Col::kCity}})) {
    if (!country_ && !country_code_ && !keep_without_country) csv.Require({"country", "country_code"});
  }
  size_t id_column() const override { return id_; }
  std::string Key(std::string_view id) const override {
    std::string key(id);
    if (const size_t images = key.rfind("images/"); images != std::string::npos) key.erase(0, images + 7);
    std::replace(key.begin(), key.end(), '/', '_');
    return Stem(key);
  }
  std::string Id(const Fields& fields) const override { return fields[id_]; }
  bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport& report) const override {
    if (!ScanPlace(row, lat_, lon_, row.fields[id_], report)) return false;
    const std::optional<LatLon> place = ToPlace(row.fields[lat_], row.fields[lon_]);
    if (place->lat_deg == 0 && place->lon_deg == 0) {
      report.Count("bad_coordinates",
                   fmt::format("line {}, id {}: exactly (0, 0)", row.line, row.fields[id_]));
      return false;
    }
    if (!keep_without_country_ && NoCountry(row.fields)) {
      report.Count("no_country", row.fields[id_]);
      return false;
    }
    InternAll(named_, row.fields, dictionaries, nullptr);
    return true;
  }
  void Map(const Fields& fields, Dictionaries& dictionaries, ImportReport& report,
           RecordRow& out) const override {
    const std::string& id = fields[id_];
    const std::string stem = Key(id);
    SetDigits(stem.substr(stem.rfind('_') + 1), out);
    SetPlace(*ToPlace(fields[lat_], fields[lon_]), out);
    const std::string_view code = Columns::Get(fields, country_code_);
    SetCountry(code, id, report, out);
    if (const std::optional<bool> left = DrivesOnTheLeft(code)) out.SetInt(Col::kDriveLeft, *left ? 1 : 0);
    InternAll(named_, fields, dictionaries, &out);
    for (const Straight& s : straight_) SetFromText(*s.to, fields[s.from], id, report, out);
    if (const std::string_view author = Columns::Get(fields, author_); !IsMissing(author)) {
      out.SetInt(Col::kAuthorHash, static_cast<int64_t>(NameHash("flickr:" + std::string(author))));
    }
  }

 private:
  // The name decides where there is one; "na" as a code is Namibia, as a name it is missing.
  bool NoCountry(const Fields& fields) const {
    if (country_) return IsMissing(fields[*country_]);
    return fields[*country_code_].empty();
  }
  bool keep_without_country_;
  size_t id_, lat_, lon_;
  std::optional<size_t> author_, country_, country_code_;
  std::vector<Straight> straight_;
  std::vector<Named> named_;
};

class FolderLayout final : public Layout {
 public:
  FolderLayout(const CsvReader& csv, bool exif_fallback)
      : exif_fallback_(exif_fallback),
        id_(csv.Require(ImageNameColumns())),
        lat_(csv.FindAny({"lat", "latitude", "lat_deg"})),
        lon_(csv.FindAny({"lon", "lng", "long", "longitude", "lon_deg"})),
        country_(csv.FindAny({"country_code", "country"})) {
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
  std::string Id(const Fields& fields) const override { return fields[id_]; }
  bool Scan(const CsvRow& row, Dictionaries&, ImportReport& report) const override {
    if (!lat_) return true;
    const bool blank = IsMissing(row.fields[*lat_]) && IsMissing(row.fields[*lon_]);
    return (blank && exif_fallback_) || ScanPlace(row, *lat_, *lon_, row.fields[id_], report);
  }
  void Map(const Fields& fields, Dictionaries&, ImportReport& report, RecordRow& out) const override {
    const std::string& id = fields[id_];
    SetDigits(Stem(id), out);
    if (lat_) {
      if (const auto place = ToPlace(fields[*lat_], fields[*lon_])) SetPlace(*place, out);
    }
    // A column of country names is common; only codes are understood.
    if (const std::string_view code = Columns::Get(fields, country_); code.size() == 2)
      SetCountry(code, id, report, out);
    for (const Straight& s : straight_) SetFromText(*s.to, fields[s.from], id, report, out);
  }

 private:
  bool exif_fallback_;
  size_t id_;
  std::optional<size_t> lat_, lon_, country_;
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

std::unique_ptr<Layout> MakeOsv5mLayout(const CsvReader& csv) { return std::make_unique<Osv5mLayout>(csv); }
std::unique_ptr<Layout> MakeMp16ProLayout(const CsvReader& csv, bool keep_without_country) {
  return std::make_unique<Mp16ProLayout>(csv, keep_without_country);
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
    if (value && std::isfinite(*value)) return out.SetFloat(spec.col, *value);
  } else {
    const std::optional<int64_t> value = ToInt(field);
    const auto [least, greatest] = RangeOf(spec.col);
    const double real = value ? static_cast<double>(*value) : 0;
    if (value && real >= least && real <= greatest) return out.SetInt(spec.col, *value);
  }
  report.Count("bad_value", fmt::format("{}: {} = \"{}\"", id, LeafName(spec.path), field));
}

}  // namespace graticule
