// GDAL made ready for this process: its drivers registered, its messages kept for our errors instead of
// printed, its memory bounded. Thread-safe; may be called any number of times.
#pragma once

#include <cstdint>
#include <string>

namespace graticule {

void StartGdal();
// ": what GDAL said last", or nothing where it said nothing.
std::string LastGdalMessage();
// The memory, for the whole process, that decoded blocks may take; GDAL's own default is a share of all
// memory.
void SetRasterCache(int64_t mib);

}  // namespace graticule
