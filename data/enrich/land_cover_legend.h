// Land-cover products that are read, each with the codes its maps hold. Constant tables, pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graticule {

std::vector<std::string> LandCoverLegends();  // "worldcover-2021", "cgls-lc100", ...
// The codes of a product, ascending. Throws Error(kUsage) that lists the known ones.
std::span<const uint8_t> LandCoverCodes(std::string_view legend);

}  // namespace graticule
