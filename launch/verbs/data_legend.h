// `graticule data inspect --legend`: what the codes in a dataset mean, and how many records have each.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "data/shard/manifest.h"

namespace graticule {

// {"/aux/climate": [{"code": 15, "name": "Cfb ...", "records": 12}, ...], ...}: the coded columns that the
// dataset has, in the order of the codes, missing values left out. Reads these columns of every shard.
nlohmann::json LegendOf(const std::string& folder, const Manifest& manifest);
void PrintLegend(const nlohmann::json& legend);

}  // namespace graticule
