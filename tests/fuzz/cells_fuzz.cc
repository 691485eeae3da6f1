// Any bytes as a geocell file; a table that loads must answer every question about places.
#include "base/error.h"
#include "geo/cell_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  try {
    const auto table = CellTable::Parse({reinterpret_cast<const char*>(data), size}, "fuzz.safetensors");
    for (const LatLon place : {LatLon{0, 0}, LatLon{90, 180}, LatLon{-90, -180}, LatLon{48.8584, 2.2945}}) {
      const auto cell = table->CellOf(place);
      if (cell) GRATICULE_CHECK(*cell >= 0 && *cell < table->size());
      const int64_t nearest = table->NearestCell(place);
      GRATICULE_CHECK(nearest >= 0 && nearest < table->size());
    }
    for (int64_t row = 0; row < table->size(); ++row) {
      GRATICULE_CHECK(!table->Rings(row).empty() && table->Level(row) >= 0);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
