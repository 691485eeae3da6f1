#include "base/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/text.h"

namespace graticule {
namespace {

constexpr size_t kChunk = 1 << 20;
constexpr size_t kMaxRecord = 16 << 20;
constexpr size_t kMaxFields = 4096;

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// Reads a quoted field that starts at text[at] (the opening quote) into `field`; returns the index after the
// closing quote, or npos when the text ends inside.
size_t ScanQuoted(std::string_view text, size_t at, bool at_end, std::string& field) {
  for (++at;;) {
    const size_t quote = text.find('"', at);
    if (quote == std::string_view::npos) return quote;
    field.append(text.substr(at, quote - at));
    if (quote + 1 == text.size()) return at_end ? text.size() : std::string_view::npos;
    if (text[quote + 1] != '"') return quote + 1;
    field += '"';
    at = quote + 2;
  }
}

void Recode(std::vector<std::string>& fields) {
  for (std::string& field : fields)
    if (!IsUtf8(field)) field = FromLatin1(field);
}

// By its mark, or by the zeros beside a header's first two letters.
bool IsUtf16(std::string_view text) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) return true;
  if (text.size() < 4) return false;
  const bool zeros[] = {text[0] == 0, text[1] == 0, text[2] == 0, text[3] == 0};
  return zeros[0] == zeros[2] && zeros[1] == zeros[3] && zeros[0] != zeros[1];
}

}  // namespace

size_t ScanCsvRecord(std::string_view text, bool at_end, std::vector<std::string>& fields,
                     const std::string& where, char delimiter) {
  const char stops[] = {delimiter, '\r', '\n', 0};
  fields.clear();
  size_t at = 0;
  while (true) {
    if (fields.size() >= kMaxFields) {
      throw Error(ErrorCode::kData, fmt::format("a record has more than {} fields", kMaxFields), where);
    }
    std::string& field = fields.emplace_back();
    if (at < text.size() && text[at] == '"' && delimiter != '\t') {
      at = ScanQuoted(text, at, at_end, field);
      if (at == std::string_view::npos) {
        if (!at_end) return 0;
        throw Error(ErrorCode::kData, "the quoted field is not closed", where,
                    "Close it, or double the quotes inside it.");
      }
    } else {
      const size_t end = std::min(text.find_first_of(stops, at), text.size());
      field = text.substr(at, end - at);
      at = end;
    }
    if (at == text.size()) return at_end ? at : 0;
    if (text[at] == delimiter) {
      ++at;
      continue;
    }
    if (text[at] == '\n') return at + 1;
    if (text[at] == '\r') {
      if (at + 1 == text.size()) return at_end ? at + 1 : 0;
      if (text[at + 1] == '\n') return at + 2;
      return at + 1;  // a lone CR, as old Macintosh files have it
    }
    throw Error(ErrorCode::kData, "text follows a closing quote", where,
                "Double the quotes inside a quoted field.");
  }
}

CsvReader::CsvReader(std::unique_ptr<ReadableFile> file, std::string name, CsvOptions options)
    : file_(std::move(file)), name_(std::move(name)), delimiter_(options.delimiter) {
  CsvRow row;
  Fill();
  if (buffer_.starts_with("\xEF\xBB\xBF")) cursor_ = 3;
  if (!options.header.empty()) {
    header_ = std::move(options.header);
    return;
  }
  if (!Next(row))
    throw Error(ErrorCode::kData, "the table is empty", name_, "A header with column names is needed.");
  header_ = std::move(row.fields);
  for (std::string& column : header_) column = Trim(column);
  if (header_.size() == 1 && delimiter_ == ',' && header_[0].find_first_of(";\t") != std::string::npos) {
    throw Error(ErrorCode::kData,
                fmt::format("the columns of \"{}\" are not divided by commas", Printable(header_[0])),
                name_ + ":1", "Save the table as CSV with commas and decimal points.");
  }
  rows_ = 0;
  std::vector<std::string> sorted = header_;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end() && !twice->empty()) {
    throw Error(ErrorCode::kData, fmt::format("column \"{}\" occurs twice", *twice), name_ + ":1");
  }
}

std::unique_ptr<CsvReader> CsvReader::Open(const std::string& path, CsvOptions options) {
  return std::make_unique<CsvReader>(PosixFs().Open(path), path, std::move(options));
}

bool CsvReader::Fill() {
  const uint64_t end = buffer_offset_ + buffer_.size();
  const size_t bytes = static_cast<size_t>(std::min<uint64_t>(kChunk, file_->size() - end));
  if (bytes == 0) return false;
  buffer_.erase(0, cursor_);
  buffer_offset_ += cursor_;
  cursor_ = 0;
  if (buffer_.size() > kMaxRecord) {
    throw Error(ErrorCode::kData, "a record is longer than 16 MiB", fmt::format("{}:{}", name_, line_),
                "A quote is probably left open here.");
  }
  const size_t old = buffer_.size();
  buffer_.resize(old + bytes);
  file_->ReadAt(end, buffer_.data() + old, bytes);
  CheckText(old);
  return true;
}

void CsvReader::CheckText(size_t from) const {
  if (buffer_offset_ == 0 && IsUtf16(buffer_))
    throw Error(ErrorCode::kData, "the table is UTF-16", name_, "Save it as UTF-8.");
  const size_t nul = buffer_.find('\0', from);
  if (nul == std::string::npos) return;
  const auto begin = buffer_.begin();
  const int64_t line = line_ + std::count(begin + static_cast<std::ptrdiff_t>(cursor_),
                                          begin + static_cast<std::ptrdiff_t>(nul), '\n');
  throw Error(
      ErrorCode::kData, fmt::format("a NUL byte, at byte {} of the table", buffer_offset_ + nul),
      fmt::format("{}:{}", name_, line),
      "Its download was probably never finished, or it is no table in UTF-8; fetch or save it again.");
}

bool CsvReader::Next(CsvRow& row) {
  while (true) {
    const bool at_end = position() + (buffer_.size() - cursor_) >= file_->size();
    const std::string_view rest = std::string_view(buffer_).substr(cursor_);
    if (rest.empty()) {
      if (!Fill()) return false;
      continue;
    }
    const size_t bytes =
        ScanCsvRecord(rest, at_end, row.fields, fmt::format("{}:{}", name_, line_), delimiter_);
    if (bytes == 0) {
      Fill();
      continue;
    }
    const std::string_view record = rest.substr(0, bytes);
    const bool blank = record.find_first_not_of("\r\n") == std::string_view::npos;
    row.offset = position();
    row.bytes = static_cast<uint32_t>(bytes);
    row.line = line_;
    line_ += std::max<int64_t>(1, std::count(record.begin(), record.end(), '\n'));
    cursor_ += bytes;
    if (blank) continue;
    row.row = rows_++;
    row.complete = row.fields.size() == header_.size();
    row.recoded = !IsUtf8(record);
    if (row.recoded) Recode(row.fields);
    return true;
  }
}

std::vector<std::string> CsvReader::ReadAt(uint64_t offset, uint32_t bytes) const {
  std::string text(bytes, '\0');
  file_->ReadAt(offset, text.data(), text.size());
  std::vector<std::string> fields;
  ScanCsvRecord(text, true, fields, name_, delimiter_);
  if (!IsUtf8(text)) Recode(fields);
  return fields;
}

std::optional<size_t> CsvReader::Find(std::string_view column) const {
  const auto found = std::find(header_.begin(), header_.end(), column);
  if (found == header_.end()) return std::nullopt;
  return static_cast<size_t>(found - header_.begin());
}

std::optional<size_t> CsvReader::FindAny(const std::vector<std::string>& aliases) const {
  for (const std::string& alias : aliases) {
    for (size_t c = 0; c < header_.size(); ++c) {
      if (Lower(header_[c]) == Lower(alias)) return c;
    }
  }
  return std::nullopt;
}

size_t CsvReader::Require(const std::vector<std::string>& aliases) const {
  if (const std::optional<size_t> found = FindAny(aliases)) return *found;
  throw Error(ErrorCode::kData,
              fmt::format("no column \"{}\"; the header has {}", fmt::join(aliases, "\" or \""),
                          fmt::join(header_, ", ")),
              name_ + ":1", "Rename the column in the header.");
}

std::string CsvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

bool IsMissing(std::string_view field) {
  field = Trim(field);
  return field.empty() || field == "NA" || field == "NaN" || field == "nan" || field == "null" ||
         field == "None";
}

std::optional<double> ToDouble(std::string_view field) {
  field = Trim(field);
  if (field.starts_with('+')) field.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> ToInt(std::string_view field) {
  field = Trim(field);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error == std::errc() && end == field.data() + field.size()) return value;
  const std::optional<double> real = ToDouble(field);
  if (!real || *real != std::floor(*real) || std::abs(*real) > 9e15) return std::nullopt;
  return static_cast<int64_t>(*real);
}

}  // namespace graticule
