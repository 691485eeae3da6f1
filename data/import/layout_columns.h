// What the layouts of data/import share: table columns found by name, and the steps from text to record.
// Private to data/import. Plain functions; one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/import/layout.h"

namespace graticule {

using Fields = std::vector<std::string>;

// Reads a row by column name; absent columns read as empty.
inline std::string_view FieldAt(const Fields& fields, std::optional<size_t> column) {
  return column ? std::string_view(fields[*column]) : std::string_view();
}

// A table column that goes straight into a shard column.
struct Straight {
  size_t from;
  const ColumnSpec* to;
};
std::vector<Straight> FindStraight(const CsvReader& csv,
                                   const std::vector<std::pair<const char*, Col>>& pairs);
// The labels and probabilities of a Places365 table.
std::vector<Straight> FindScenes(const CsvReader& csv);
void SetStraight(const std::vector<Straight>& columns, const Fields& fields, std::string_view id,
                 ImportReport& report, RecordRow& out);

// A table column whose text goes into a dictionary.
struct Named {
  size_t from;
  Col to;
  bool words = true;  // "NA" and "null" are names like others
};
std::vector<Named> FindNamed(const CsvReader& csv, const std::vector<std::pair<const char*, Col>>& pairs,
                             bool words = true);
// out: null while scanning.
void InternAll(const std::vector<Named>& columns, const Fields& fields, Dictionaries& dictionaries,
               RecordRow* out);

// code: ISO 3166 alpha-2. Sets the driving side too where it is not known yet.
void SetCountry(std::string_view code, std::string_view id, ImportReport& report, RecordRow& out);
// The same from an English name; nothing where it is missing.
void SetCountryByName(std::string_view name, std::string_view id, ImportReport& report, RecordRow& out);
void SetPlace(LatLon place, RecordRow& out);
void SetDigits(std::string_view text, RecordRow& out);  // the numeric id, where it is one
// platform: "mapillary", "flickr", "kartaview": authors are comparable across datasets.
void SetAuthor(std::string_view platform, std::string_view author, RecordRow& out);
int MonthOf(int64_t captured_ms);  // in UTC, 1..12
// What is a place in a table. People write longitudes up to 360 too; published tables do not, so that there
// such a value is a slip. Exactly (0, 0), in the sea, is how devices and programs write that they know no
// place; the published test sets keep such rows, because they are part of the denominator.
struct PlaceRule {
  double max_lon = 360;
  bool origin = true;
};
inline constexpr PlaceRule kTestSetPlace{180, true}, kPublishedPlace{180, false};
// False, and counted, when the two fields are no place.
bool ScanPlace(const CsvRow& row, size_t lat, size_t lon, const std::string& id, ImportReport& report,
               PlaceRule rule = {});

}  // namespace graticule
