// A further CSV whose columns, named like /aux, /time and /scene columns, are joined to the records by id.
// Unknown columns are an error: a misspelt name must not end as a column that is missing everywhere. One
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/import/import_report.h"
#include "data/import/join_table.h"
#include "data/shard/columns.h"

namespace graticule {

class ExtraTable {
 public:
  ExtraTable(const std::string& path, JoinTable::KeyOf key, ImportReport& report);
  // Fields that are missing or unreadable leave what the row has.
  void Fill(std::string_view id, ImportReport& report, RecordRow& row);
  JoinTable& rows() { return rows_; }
  const JoinTable& rows() const { return rows_; }

 private:
  struct Column {
    size_t from;
    const ColumnSpec* to;
  };
  JoinTable rows_;
  std::vector<Column> columns_;
};

}  // namespace graticule
