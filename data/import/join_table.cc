#include "data/import/join_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "data/shard/string_hash.h"

namespace graticule {

JoinTable::JoinTable(std::unique_ptr<CsvReader> csv, size_t id_column, KeyOf key)
    : csv_(std::move(csv)), id_column_(id_column), key_(std::move(key)) {}

void JoinTable::Build(ImportReport& report, const Visit& visit) {
  CsvRow row;
  while (csv_->Next(row)) {
    ++rows_read_;
    const std::string where = fmt::format("line {}", row.line);
    if (!row.complete) {
      report.Count("row_with_wrong_field_count", where);
      continue;
    }
    const std::string key = key_(row.fields[id_column_]);
    if (key.empty()) {
      report.Count("row_without_id", where);
      continue;
    }
    if (row.recoded) report.Count("row_not_utf8", fmt::format("{}:{}", BaseName(csv_->name()), row.line));
    if (row.row > UINT32_MAX) throw Error(ErrorCode::kData, "more than 2^32 rows", csv_->name());
    if (visit(row)) {
      entries_.push_back({Xxh64(key), row.offset, row.bytes, static_cast<uint32_t>(row.row)});
    } else {
      refused_.insert(Xxh64(key));
    }
  }
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.hash, a.row) < std::pair(b.hash, b.row);
  });
  DropRepeated(report);
  used_.assign(entries_.size(), false);
}

void JoinTable::DropRepeated(ImportReport& report) {
  std::vector<Entry> kept;
  kept.reserve(entries_.size());
  for (size_t i = 0; i < entries_.size();) {
    size_t end = i + 1;
    while (end < entries_.size() && entries_[end].hash == entries_[i].hash) ++end;
    std::vector<std::string> keys;  // of the kept entries of this group
    for (; i < end; ++i) {
      if (end - i > 1 || !keys.empty()) {
        const std::string id = csv_->ReadAt(entries_[i].offset, entries_[i].bytes).at(id_column_);
        const std::string key = key_(id);
        if (std::find(keys.begin(), keys.end(), key) != keys.end()) {
          report.Count("row_with_repeated_id", id);
          continue;
        }
        keys.push_back(key);
      }
      kept.push_back(entries_[i]);
    }
  }
  entries_ = std::move(kept);
}

const JoinTable::Entry* JoinTable::Locate(std::string_view key, std::vector<std::string>* fields) const {
  const uint64_t hash = Xxh64(key);
  auto entry = std::lower_bound(entries_.begin(), entries_.end(), hash,
                                [](const Entry& e, uint64_t value) { return e.hash < value; });
  for (; entry != entries_.end() && entry->hash == hash; ++entry) {
    std::vector<std::string> row = csv_->ReadAt(entry->offset, entry->bytes);
    if (key_(row.at(id_column_)) != key) continue;
    if (fields != nullptr) *fields = std::move(row);
    return &*entry;
  }
  return nullptr;
}

bool JoinTable::Refused(std::string_view id) const { return refused_.contains(Xxh64(key_(id))); }

std::optional<JoinTable::Match> JoinTable::Find(std::string_view id) {
  Match match;
  const Entry* entry = Locate(key_(id), &match.fields);
  if (entry == nullptr) return std::nullopt;
  const auto position = static_cast<size_t>(entry - entries_.data());
  match.again = used_[position];
  used_[position] = true;
  match.row = entry->row;
  return match;
}

namespace {

std::vector<uint32_t> InTableOrder(size_t count, const std::function<uint32_t(size_t)>& row_of,
                                   const std::function<bool(size_t)>& wanted) {
  std::vector<uint32_t> order;
  for (size_t i = 0; i < count; ++i) {
    if (wanted(i)) order.push_back(static_cast<uint32_t>(i));
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return row_of(a) < row_of(b); });
  return order;
}

}  // namespace

void JoinTable::ForEachUnused(const std::function<void(const std::string&, int64_t)>& call) const {
  const auto order = InTableOrder(
      entries_.size(), [&](size_t i) { return entries_[i].row; }, [&](size_t i) { return !used_[i]; });
  for (const uint32_t i : order) {
    call(csv_->ReadAt(entries_[i].offset, entries_[i].bytes).at(id_column_), entries_[i].row);
  }
}

void JoinTable::ForEach(const std::function<void(const std::string&, int64_t)>& call) const {
  const auto order = InTableOrder(
      entries_.size(), [&](size_t i) { return entries_[i].row; }, [](size_t) { return true; });
  for (const uint32_t i : order) {
    call(csv_->ReadAt(entries_[i].offset, entries_[i].bytes).at(id_column_), entries_[i].row);
  }
}

std::string JoinTable::SaveUsed() const {
  std::string text((used_.size() + 3) / 4, '0');
  for (size_t i = 0; i < used_.size(); ++i) {
    if (!used_[i]) continue;
    char& digit = text[i / 4];
    const int value = (digit <= '9' ? digit - '0' : digit - 'a' + 10) | 1 << i % 4;
    digit = "0123456789abcdef"[value];
  }
  return text;
}

void JoinTable::LoadUsed(const std::string& text) {
  if (text.size() != (used_.size() + 3) / 4) {
    throw Error(ErrorCode::kData, "the journal of the unfinished import does not fit this table",
                csv_->name(), "Remove the output folder to start again.");
  }
  for (size_t i = 0; i < used_.size(); ++i) {
    const char digit = text[i / 4];
    used_[i] = ((digit <= '9' ? digit - '0' : digit - 'a' + 10) >> i % 4 & 1) != 0;
  }
}

}  // namespace graticule
