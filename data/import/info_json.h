// info.json of IM2GPS and IM2GPS3K as OSV-5M's authors distribute it, turned into a table.
//
// One JSON object: file name -> list of strings about the photo, empty where nothing is known. The fourth
// string from the end reads "latitude: x", the third from the end "longitude: x" (docs/FORMATS.md). Pure
// function. Throws Error(kData) at `where` for text that is no such object; an entry whose strings are not
// coordinates becomes a row with empty fields, which the import counts.
#pragma once

#include <string>
#include <string_view>

namespace graticule {

// CSV with the columns IMG_ID, LAT, LON, sorted by name; photos with an empty list have no row.
std::string InfoJsonToCsv(std::string_view text, const std::string& where);

}  // namespace graticule
