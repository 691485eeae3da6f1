// What the codes of a coded column mean: climate zones, countries, scenes, street-view attributes, licences.
//
// Names only where the source publishes them: OSV-5M's land cover and soil, and the 16 groups of Places365,
// stay numbers. Pure functions over constant tables; any thread.
// Sources: Beck et al. 2018 (Koeppen-Geiger), the published list of Places365, NUS Global Streetscapes.
#pragma once

#include <cstdint>
#include <string>

#include "data/shard/columns.h"

namespace graticule {

// The column's integers are codes with names.
bool IsCoded(Col col);
// "Cfb temperate, no dry season, warm summer"; "" for a code without a name.
std::string NameOfCode(Col col, int64_t code);

}  // namespace graticule
