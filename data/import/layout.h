// How one source's table becomes records: which columns there are, how ids are written, what is left out.
//
// A Layout is made for one open table. Scan sees every row first (dictionaries fill up, bad rows are
// counted); Map is called later for each row that has an image. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/csv.h"
#include "data/import/import_report.h"
#include "data/shard/columns.h"
#include "data/shard/dictionary.h"
#include "geo/latlon.h"

namespace graticule {

class Layout {
 public:
  virtual ~Layout() = default;
  virtual size_t id_column() const = 0;
  // Normal form of an id or of an image's path, equal for both.
  virtual std::string Key(std::string_view id) const = 0;
  // The id as it is stored.
  virtual std::string Id(const std::vector<std::string>& fields) const = 0;
  // What is written about the photo, UTF-8; empty where there is nothing.
  virtual std::string Text(const std::vector<std::string>&) const { return ""; }
  // False when the row is left out; the reason has been counted. Interns names.
  virtual bool Scan(const CsvRow& row, Dictionaries& dictionaries, ImportReport& report) const = 0;
  // Fills everything the table knows.
  virtual void Map(const std::vector<std::string>& fields, Dictionaries& dictionaries, ImportReport& report,
                   RecordRow& out) const = 0;
};

// OSV-5M's 32 columns; the administrative and label columns may be absent (mirrors ship fewer).
std::unique_ptr<Layout> MakeOsv5mLayout(const CsvReader& csv);
// MP16_Pro_filtered.csv or MP16_Pro_places365.csv. keep_without_country: do not drop rows without one.
std::unique_ptr<Layout> MakeMp16ProLayout(const CsvReader& csv, bool keep_without_country);
// The test sets of the field: their table of id, place, author and scenes under any of its published names.
// photo_id_key: images are found by the Flickr photo id that their names end with.
std::unique_ptr<Layout> MakeBenchmarkLayout(const CsvReader& csv, bool photo_id_key);
// The key of that layout, of ids and of images alike.
std::string BenchmarkKey(std::string_view id, bool photo_id_key);
// Global Streetscapes: the table of common attributes, and the tables joined to it by uuid.
std::unique_ptr<Layout> MakeStreetscapesLayout(const CsvReader& csv);
std::unique_ptr<Layout> MakeStreetscapesContextLayout(
    const CsvReader& csv);                                                 // contextual: weather, light, ...
std::unique_ptr<Layout> MakeStreetscapesCityLayout(const CsvReader& csv);  // simplemaps: city, country
std::unique_ptr<Layout> MakeStreetscapesCreatorLayout(const CsvReader& csv);  // metadata_mly3: creator
// Any table with an image, a latitude and a longitude column, under the usual names. exif_fallback: rows
// without coordinates are kept, to be placed by EXIF.
std::unique_ptr<Layout> MakeFolderLayout(const CsvReader& csv, bool exif_fallback);

// File name without folders and without extension.
std::string Stem(std::string_view path);
// 64-bit hash of a string, 0 only for the empty one.
uint64_t NameHash(std::string_view text);
// Reads a place; nullopt when missing, not a number, or out of range. Longitudes are wrapped into [-180,
// 180).
std::optional<LatLon> ToPlace(std::string_view lat, std::string_view lon);
// Converts and stores one field by the column's type and range; what cannot be read is counted as bad_value
// and left missing.
void SetFromText(const ColumnSpec& spec, std::string_view field, std::string_view id, ImportReport& report,
                 RecordRow& out);

// How tables of photos call the column that names the image, most telling first; upper or lower case.
const std::vector<std::string>& ImageNameColumns();

}  // namespace graticule
