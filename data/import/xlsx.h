// One sheet of an .xlsx workbook as rows of text.
//
// Reads what tables of data use: shared strings (plain or rich), strings in place, numbers and booleans as
// they are written, results of formulas; cells without a reference follow the one before. Errors of formulas
// read as empty. Styles are not applied, so a date stays the number that it is. Owns nothing between calls;
// one thread. A workbook is a zip of XML from anywhere: the limits bound what it may unfold to, and XML with
// a document type is refused. Throws Error(kData) naming the file, and the part inside it.
// Source: ECMA-376 part 1, clauses 12.3 and 18.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fs.h"

namespace graticule {

struct XlsxLimits {
  uint64_t xml_bytes = uint64_t{256} << 20;   // of all parts together, unpacked
  uint64_t text_bytes = uint64_t{256} << 20;  // of all cells together
  uint64_t cells =
      8'000'000;  // of the sheet, gaps and empty rows before a cell too; and as many shared strings
};

using XlsxRow = std::vector<std::string>;  // as long as its last cell; gaps are empty

// sheet: its name; empty: the first one. Row r of the sheet is element r - 1.
std::vector<XlsxRow> ReadXlsx(const std::string& path, const std::string& sheet = "",
                              const XlsxLimits& limits = {});
// The same over an open file; `name` stands for it in errors.
std::vector<XlsxRow> ReadXlsx(std::unique_ptr<ReadableFile> file, const std::string& name,
                              const std::string& sheet, const XlsxLimits& limits = {});

// The same over the unpacked parts by their path in the zip, for fuzzing.
std::vector<XlsxRow> ReadXlsxParts(const std::map<std::string, std::string>& parts, const std::string& name,
                                   const std::string& sheet, const XlsxLimits& limits = {});

}  // namespace graticule
