// Street360Loc: four side views of a panorama per place, each with a description, in
// <split>_description.xlsx.
//
// Sheet1 has the columns index (six digits), pos (1 to 4), x, y, z (metres) and text_description; coordinates
// are Cartesian on a sphere of 6,365,000 m around the Earth's centre, the place being the direction. A place
// takes the coordinates of its first row. Views of one place share /seq/hash, and /seq/index is pos.
//
// Left out by default, and counted: descriptions in which the writer says that it sees no image (the record
// stays, without text), and in train the places 004000 and 005000, which are in val too. Plain functions.
// Throws Error(kData) for a sheet without the columns; bad rows are counted. Source: docs/FORMATS.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/import/importer.h"
#include "data/import/xlsx.h"

namespace graticule {

struct Street360Options {
  bool keep_refusals = false;  // descriptions that describe nothing
  bool keep_overlap = false;   // the places that two splits have
};

// A table with the columns id ("000001_1", the name of the image), latitude, longitude, place, pos, text.
std::string Street360ToCsv(const std::vector<XlsxRow>& sheet, const std::string& where,
                           const std::string& split, const Street360Options& options, ImportReport& report);

std::unique_ptr<Layout> MakeStreet360Layout(const CsvReader& csv);

// Rows of the published workbook; 0 for a split that is none of theirs.
int64_t Street360Rows(const std::string& split);

// The text says that its writer saw no image.
bool IsRefusal(std::string_view description);

}  // namespace graticule
