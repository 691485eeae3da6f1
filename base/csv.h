// RFC 4180 tables read by column name: quoted fields with commas, quotes and line breaks, CRLF or LF, a UTF-8
// byte order mark, and rows that can be read again by their offset.
//
// Fields are UTF-8, nothing is trimmed, and "NA" is a value like any other (it is a country, IsMissing says
// when it is not). A field in another encoding is read as Latin-1, which loses nothing, and its row says so
// (`recoded`). Memory is bounded: a record may have at most 16 MiB. One thread, except ReadAt. Malformed
// quoting and NUL bytes, which no text has, throw Error(kData) with file:line; rows with too few or too many
// fields are the caller's to judge (`complete`).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"

namespace graticule {

struct CsvRow {
  std::vector<std::string> fields;  // as many as the header has columns, when complete
  uint64_t offset = 0;              // first byte of the record in the file
  uint32_t bytes = 0;               // its length with the line end
  int64_t row = 0;                  // 0 = first after the header
  int64_t line = 0;                 // 1-based line where it starts
  bool complete = true;
  bool recoded = false;  // a field was not UTF-8
};

struct CsvOptions {
  char delimiter = ',';             // with '\t' quotes mean nothing, as in the tables of YFCC100M
  std::vector<std::string> header;  // of a file without one: the names of all its columns
};

class CsvReader {
 public:
  // Reads the header. An empty file or a column that occurs twice is an error.
  CsvReader(std::unique_ptr<ReadableFile> file, std::string name, CsvOptions options = {});
  static std::unique_ptr<CsvReader> Open(const std::string& path, CsvOptions options = {});

  const std::string& name() const { return name_; }
  const std::vector<std::string>& header() const { return header_; }
  std::optional<size_t> Find(std::string_view column) const;                     // exact
  std::optional<size_t> FindAny(const std::vector<std::string>& aliases) const;  // ignoring case, first match
  // Column that must exist; Error(kData) lists what there is.
  size_t Require(const std::vector<std::string>& aliases) const;

  bool Next(CsvRow& row);
  // The fields of a record that Next has returned before. Thread-safe.
  std::vector<std::string> ReadAt(uint64_t offset, uint32_t bytes) const;
  uint64_t position() const { return buffer_offset_ + cursor_; }
  uint64_t size() const { return file_->size(); }

 private:
  bool Fill();                        // reads more; false at the end of the file
  void CheckText(size_t from) const;  // of buffer_
  std::unique_ptr<ReadableFile> file_;
  std::string name_;
  char delimiter_;
  std::vector<std::string> header_;
  std::string buffer_;
  uint64_t buffer_offset_ = 0;  // of buffer_[0] in the file
  size_t cursor_ = 0;           // next unread byte of buffer_
  int64_t rows_ = 0, line_ = 1;
};

// Splits the record at the start of `text`. Returns its length with the line end; 0 when `text` may end
// inside it (never when `at_end`). Throws Error(kData) at `where` on text after a closing quote or an open
// quote at the end.
size_t ScanCsvRecord(std::string_view text, bool at_end, std::vector<std::string>& fields,
                     const std::string& where, char delimiter = ',');

// Text as a field: quoted where it must be.
std::string CsvField(std::string_view text);

// Empty, NA, NaN, nan, null, None: how tables say that a number or a name is not known.
bool IsMissing(std::string_view field);
// Whole-field conversions; nullopt on anything else. Integers may be written as floats ("4.0").
std::optional<double> ToDouble(std::string_view field);
std::optional<int64_t> ToInt(std::string_view field);

}  // namespace graticule
