// Turns a source of images and a table about them into a dataset folder: one sequential pass in the order of
// the source, which can be interrupted and repeated with the same options to go on after the last sealed
// shard.
//
// Whatever is left out is counted with its reason. Memory: 24 B per row of each table, the dictionaries, the
// columns of up to five shards, about 70 B per record, and 9 MiB of blocks for an archive and each shard
// being hashed. The caller's thread takes and writes the records; others read archives ahead
// (base/read_ahead.h) and seal full shards (data/shard/dataset_writer.h). Errors: kData.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fs.h"
#include "data/import/image_source.h"
#include "data/import/import_report.h"
#include "data/import/layout.h"
#include "data/import/record_filter.h"
#include "data/shard/dataset_writer.h"

namespace graticule {

struct ImportProgress {
  int64_t records = 0;
  uint64_t done = 0, total = 0;  // of the source, in its own unit
};

struct ImportOptions {
  std::string out;
  DatasetWriterOptions writer;
  std::vector<std::string> extra_csv;  // joined by id into /aux, /time and /scene columns; later tables win
  int64_t max_records = 0;             // 0 = all
  uint64_t min_image_bytes = 0;        // images up to this size are left out
  bool drop_identical = false;         // keep the first of byte-identical images
  bool drop_placeholders = false;      // leave out the known "photo unavailable" picture
  bool place_from_exif = false;        // where the table has none
  RecordFilterOptions filter;
  bool part_of_images = false;  // rows without an image are no news: theirs may lie in archives not read
  std::string list_below;  // the folder of the images; its JPEGs that the table does not name are counted
  std::function<void(const ImportProgress&)> progress;
};

// The main table with its meaning. Without a table every image becomes a record that is placed by EXIF.
struct ImportTable {
  std::string path;
  std::function<std::unique_ptr<Layout>(const CsvReader&)> layout;
  CsvOptions csv = {};
  // The table as CSV where the file at `path` has another form; `path` then stands for it in messages.
  std::string text = {};
  // Called with the number of rows once they were read; may count what is odd, or refuse the table.
  std::function<void(int64_t rows, ImportReport& report)> check = {};
  std::vector<ImportTable> sides = {};  // joined by the same key; fill columns that `layout` leaves open
};

struct ImportResult {
  Manifest manifest;
  ImportReport report;
};

// source: made after the table was read, since a folder is read in the order of its table: gets the ids in
// order.
using SourceOf = std::function<std::unique_ptr<ImageSource>(const std::vector<std::string>& ids)>;

// needs_ids: whether the source depends on the ids (they are then kept in memory while it is made).
ImportResult ImportDataset(FileSystem& fs, const ImportTable& table, const SourceOf& source, bool needs_ids,
                           const ImportOptions& options);

}  // namespace graticule
