// Orders that were worked out instead of computed: one plan per epoch, `epoch_%04d.u32`, in a folder that all
// ranks see.
//
// A plan holds the record of each position of its epoch, u32 little-endian, nothing else. Its SHA-256 is
// kept by whoever wrote it (a run: in state.json) and asked for when it is opened, so a lost, damaged or
// foreign plan is Error(kData) before a sample is read. All plans have the same number of positions, whole
// batches. The two that were opened last are kept in memory. One thread writes and opens; At is for any
// number of threads.
//
//   PlanFolder plans({.dir = "run/order", .name = order_name, .records = N, .positions = batches * G});
//   const std::string sha256 = plans.Write(PosixFs(), epoch, order.records);   // rank 0
//   plans.Open(epoch, sha256);                                                 // every rank
//   loader->Seek(epoch, 0);                                                    // LoaderOptions::plans
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/fs.h"

namespace graticule {

struct PlanFolderOptions {
  std::string dir;
  std::string name;       // of the algorithm with its version and all that changes the order
  int64_t records = 0;    // N
  int64_t positions = 0;  // of an epoch, at most N
};

class PlanFolder {
 public:
  explicit PlanFolder(PlanFolderOptions options) : options_(std::move(options)) {}

  const PlanFolderOptions& options() const { return options_; }
  std::string PathOf(int64_t epoch) const;

  // Replaces the file at once or not at all; returns its SHA-256. Every record at most once.
  std::string Write(FileSystem& fs, int64_t epoch, std::span<const uint32_t> records) const;
  // Reads and checks it. Opening again checks again, and replaces what At gives from then on.
  void Open(int64_t epoch, const std::string& sha256);

  // The records of an epoch that was opened.
  std::shared_ptr<const std::vector<uint32_t>> At(int64_t epoch) const;

 private:
  struct Plan {
    int64_t epoch;
    std::shared_ptr<const std::vector<uint32_t>> records;
  };

  PlanFolderOptions options_;
  mutable std::mutex mutex_;
  std::deque<Plan> plans_;  // the last one first
};

}  // namespace graticule
