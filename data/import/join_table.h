// A CSV joined by id: finds the row of an id without keeping the table in memory.
//
// Per row 24 bytes are kept (hash of the id, place in the file); the row itself is read again when asked for,
// and its id compared, so hash collisions do no harm. Of rows with the same id the first counts. Lookups mark
// rows as used, so that rows nobody asked for can be listed. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/csv.h"
#include "data/import/import_report.h"

namespace graticule {

class JoinTable {
 public:
  using KeyOf = std::function<std::string(std::string_view)>;  // normal form of an id
  // Sees every complete row once, in order; returns false to leave it out (and has counted why).
  using Visit = std::function<bool(const CsvRow&)>;

  JoinTable(std::unique_ptr<CsvReader> csv, size_t id_column, KeyOf key);
  // Reads the whole table. Rows that are incomplete or repeat an id are counted in the report and left out.
  void Build(ImportReport& report, const Visit& visit);

  const CsvReader& csv() const { return *csv_; }
  int64_t size() const { return static_cast<int64_t>(entries_.size()); }  // rows kept
  int64_t rows_read() const { return rows_read_; }

  struct Match {
    int64_t row = 0;
    bool again = false;  // it had been found before
    std::vector<std::string> fields;
  };
  // Marks the row as used.
  std::optional<Match> Find(std::string_view id);
  bool Has(std::string_view id) const { return Locate(key_(id), nullptr) != nullptr; }
  // The id's row is there, but Visit left it out (and counted why).
  bool Refused(std::string_view id) const;
  int64_t unused() const { return std::count(used_.begin(), used_.end(), false); }
  // Ids in the order of the table.
  void ForEachUnused(const std::function<void(const std::string& id, int64_t row)>& call) const;
  void ForEach(const std::function<void(const std::string& id, int64_t row)>& call) const;
  // Which rows were used, as text for a journal, and back.
  std::string SaveUsed() const;
  void LoadUsed(const std::string& text);

 private:
  struct Entry {
    uint64_t hash;
    uint64_t offset;
    uint32_t bytes;
    uint32_t row;
  };
  const Entry* Locate(std::string_view key, std::vector<std::string>* fields) const;
  void DropRepeated(ImportReport& report);

  std::unique_ptr<CsvReader> csv_;
  size_t id_column_;
  std::unordered_set<uint64_t> refused_;  // hashes of keys; few, and a collision only hides a count
  KeyOf key_;
  std::vector<Entry> entries_;  // by hash, then row
  int64_t rows_read_ = 0;
  std::vector<bool> used_;  // by position in entries_
};

}  // namespace graticule
