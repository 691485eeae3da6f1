// Any texts as the parts of a workbook, separated by the byte 0x1E: workbook, relations, shared strings,
// sheet.
#include <algorithm>
#include <map>
#include <string>

#include "data/import/xlsx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  static constexpr const char* kNames[] = {"xl/workbook.xml", "xl/_rels/workbook.xml.rels",
                                           "xl/sharedStrings.xml", "xl/worksheets/a.xml"};
  std::map<std::string, std::string> parts;
  const uint8_t* at = data;
  for (const char* name : kNames) {
    const uint8_t* end = std::find(at, data + size, 0x1e);
    parts[name] = std::string(at, end);
    if (end == data + size) break;
    at = end + 1;
  }
  const XlsxLimits limits{.text_bytes = 1 << 16, .cells = 10'000};
  try {
    uint64_t cells = 0, bytes = 0;
    for (const XlsxRow& row : ReadXlsxParts(parts, "fuzz.xlsx", "", limits)) {
      cells += std::max<uint64_t>(1, row.size());
      for (const std::string& cell : row) bytes += cell.size();
    }
    if (cells > 2 * limits.cells || bytes > limits.text_bytes) __builtin_trap();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
