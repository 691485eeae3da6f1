// HDF5 behind two small owning types: a writer of one sealed file and a reader that accepts a narrow profile
// only.
//
// Profile: groups reached by hard links, at most 4 deep and without cycles; every dataset one-dimensional,
// contiguous, unfiltered, not external, not virtual, of a little-endian integer or IEEE float type, inside
// the file. Anything else is Error(kData) naming the object, before one byte of it is read. No plugin is
// loaded, no lock is taken, no other file is opened. Threads: HDF5 is called under one process-wide lock;
// image bytes never pass through it (they are read by pread). The parser itself is not safe on hostile files:
// readers check the head hash of the manifest first.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "data/shard/columns.h"

namespace graticule {

struct H5DatasetInfo {
  ColumnType type = ColumnType::kU8;
  uint64_t count = 0;   // elements
  uint64_t offset = 0;  // absolute byte in the file; 0 when empty
  uint64_t bytes = 0;
};

// Writes one file. Objects carry no time stamps, so equal calls give equal bytes.
class H5Writer {
 public:
  explicit H5Writer(const std::string& path);  // truncates
  ~H5Writer();
  H5Writer(const H5Writer&) = delete;

  // Allocates `bytes` of u8 without writing them and returns their absolute offset, a multiple of 1 MiB.
  // Must be the first dataset; bytes >= 1 MiB.
  uint64_t Reserve(const std::string& path, uint64_t bytes);
  void WriteDataset(const std::string& path, ColumnType type, uint64_t count, const void* data);
  // On a dataset, or on the file with object "/".
  void SetAttribute(const std::string& object, const std::string& name, std::string_view value);
  void SetAttribute(const std::string& object, const std::string& name, uint32_t value);
  void SetAttribute(const std::string& object, const std::string& name, uint64_t value);
  void Close();  // reports errors; the destructor does not

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// An open file whose profile has been checked whole.
class H5Reader {
 public:
  explicit H5Reader(const std::string& path);
  ~H5Reader();
  H5Reader(const H5Reader&) = delete;

  // By absolute path, "/img/data".
  const std::map<std::string, H5DatasetInfo>& datasets() const { return datasets_; }
  // Fixed-length strings and integers up to 64 KiB; nothing else is ever read. nullopt when absent.
  std::optional<std::string> StringAttribute(const std::string& object, const std::string& name) const;
  std::optional<uint64_t> IntAttribute(const std::string& object, const std::string& name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::map<std::string, H5DatasetInfo> datasets_;
};

}  // namespace graticule
