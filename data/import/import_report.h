// What an import kept and what it left out, and why: a count per reason with the first offenders named, and
// what was found beside what was published.
// Written beside the dataset as import_report.json and .txt. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"

namespace graticule {

class ImportReport {
 public:
  void Count(const std::string& reason, std::string_view offender);
  void CountMany(const std::string& reason, int64_t count) { reasons_[reason].count += count; }
  void Add(const ImportReport& other);  // its counts, totals and shares on top
  void AddReason(const ImportReport& other, const std::string& name);
  int64_t count(const std::string& reason) const;
  void SetTotal(const std::string& name, int64_t value) { totals_[name] = value; }
  void SetShare(const std::string& name, double value) { shares_[name] = value; }
  // What was found beside what was published. A difference is counted, not refused: people fetch parts.
  void CompareRows(int64_t rows, int64_t published);
  // unit: "zips". published: names in order; wanted: those that the caller asks for; found: those that are
  // here.
  void CompareFiles(const std::string& unit, const std::vector<std::string>& published,
                    const std::function<bool(size_t)>& wanted, const std::vector<std::string>& found);

  std::string ToJson() const;
  static ImportReport FromJson(const std::string& text);  // for the journal of an interrupted import
  std::string ToText() const;
  void Write(FileSystem& fs, const std::string& folder) const;

 private:
  struct Reason {
    int64_t count = 0;
    std::vector<std::string> first;
  };
  std::map<std::string, Reason> reasons_;
  std::map<std::string, int64_t> totals_;  // "records", "rows", "zips"
  std::map<std::string, double> shares_;   // 0..1
};

}  // namespace graticule
