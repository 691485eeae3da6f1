// Country codes: ISO 3166-1 alpha-2 and numeric, with 983 for XK (Kosovo), which ISO has not numbered.
// Pure functions over a constant table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace graticule {

// Any case; "NA" is Namibia, and so is "NMB". 0 = unknown.
uint16_t NumericCountry(std::string_view alpha2);
// Upper case. Knows beside ISO's codes those that borders of Natural Earth and GADM carry for Kosovo,
// Palestine, South Sudan, Western Sahara, Somaliland, Aland and the parts of Cyprus. 0 = unknown.
uint16_t NumericCountryOfAlpha3(std::string_view alpha3);
// "" = unknown.
std::string Alpha2Of(uint16_t numeric);
// From an English name as geocoders and ISO 3166-1 write it, in any case, with or without "the"; "" =
// unknown.
std::string Alpha2OfName(std::string_view name);
// Driving side of today's traffic; nullopt for unknown codes.
std::optional<bool> DrivesOnTheLeft(std::string_view alpha2);

}  // namespace graticule
