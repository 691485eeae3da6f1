// The tables that accompany the demo world's images, with the columns of the originals.
#pragma once

#include <span>
#include <string>

#include "data/synth/demo_world.h"

namespace graticule {

std::string Osv5mCsv(const Planet& planet, std::span<const DemoPhoto> photos);
// slashes: IMG_ID as in MP16_Pro_places365.csv ("4f/a0/3963216890.jpg"); otherwise as in
// MP16_Pro_filtered.csv.
std::string Mp16Csv(const Planet& planet, std::span<const DemoPhoto> photos, bool slashes);
std::string ExtraCsv(std::span<const DemoPhoto> photos);

}  // namespace graticule
