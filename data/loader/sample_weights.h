// How often each record is to be drawn: n^-alpha, with n the records of its group. alpha 0 draws records
// evenly, 1 draws groups evenly; OSV-5M's authors use 0.75 over a grid. Records without a group form one of
// their own.
//
// Integers, at least 1, relative to the rarest group (2^24): a difference in the last bit of pow between CPUs
// does not reach them.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "geo/cell_table.h"

namespace graticule {

std::vector<int64_t> GroupsByCell(const Dataset& dataset, const CellTable& cells);  // -1: outside all cells
std::vector<int64_t> GroupsByCountry(const Dataset& dataset);                       // 0: unknown

std::vector<uint64_t> SampleWeights(const std::vector<int64_t>& groups, double alpha);

}  // namespace graticule
