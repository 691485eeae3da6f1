// Any bytes as a CSV: every record is read or refused with Error, and reads the same again at its offset.
#include <cstdlib>
#include <string>

#include "base/csv.h"
#include "base/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  try {
    CsvReader csv(MemoryFile(std::string(reinterpret_cast<const char*>(data), size)), "fuzz.csv");
    CsvRow row;
    while (csv.Next(row)) {
      if (csv.ReadAt(row.offset, row.bytes) != row.fields) std::abort();
      for (const std::string& field : row.fields) {
        ToDouble(field);
        ToInt(field);
        IsMissing(field);
      }
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
