// Any bytes as a CSV of geocells.
#include "base/error.h"
#include "geo/cell_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  try {
    ParseCellCsv({reinterpret_cast<const char*>(data), size}, "fuzz.csv");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
