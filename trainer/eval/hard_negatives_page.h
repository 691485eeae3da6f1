// A page of hard negatives (hard_negatives.h) to be looked at: one HTML file with the pictures inside. A
// picture that cannot be read is left grey.
#pragma once

#include <span>
#include <string>

#include "data/dataset.h"
#include "trainer/eval/hard_negatives.h"

namespace graticule {

std::string HardNegativesPage(const Dataset& dataset, std::span<const HardAnchor> anchors,
                              const HardNegativeOptions& options, const std::string& title);

}  // namespace graticule
