// A file read mostly from front to back, whose next blocks are fetched before they are asked for.
//
// From returns the bytes in place; up to eight reads of 1 MiB are in flight behind them, each in a thread of
// its own. No more is read ahead than was asked for in one piece before, and what is passed over counts
// against it: who reads whole files soon has all eight, who leaps about reads single blocks in his own thread
// and nothing else, and what is read for nothing never exceeds what was asked for. `file` must outlive this
// object, which owns nine blocks at most. One caller at a time. A read that fails throws what ReadAt threw,
// at the calls that ask for bytes of its block and at no others.
#pragma once

#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "base/fs.h"

namespace graticule {

class ReadAhead {
 public:
  explicit ReadAhead(const ReadableFile& file) : file_(file) {}
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // Bytes from `at` on, at most 1 MiB and none only at the end of the file; valid until the next call.
  std::span<const uint8_t> From(uint64_t at);

 private:
  using Buffer = std::unique_ptr<uint8_t[]>;
  struct Block {
    uint64_t begin = 0, end = 0;
    Buffer bytes;
    std::shared_future<void> read;  // the last member, so that it is waited for first
  };
  void Start(uint64_t begin, std::launch policy);
  void DropFront();

  const ReadableFile& file_;
  std::vector<Buffer> spare_;
  std::deque<Block> blocks_;  // adjoining; the first one holds what From returned
  uint64_t end_ = 0;          // of what From returned
  uint64_t given_ = 0;        // bytes From returned
  uint64_t ahead_ = 0;        // bytes to read ahead
};

}  // namespace graticule
