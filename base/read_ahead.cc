#include "base/read_ahead.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace graticule {
namespace {

// Network file systems answer requests of this size at once (rsize of NFS); a thread for each costs a
// few hundredths of copying it out of the page cache.
constexpr uint64_t kBlock = 1 << 20;
constexpr uint64_t kMaxAhead = 8 * kBlock;

}  // namespace

std::span<const uint8_t> ReadAhead::From(uint64_t at) {
  if (at >= file_.size()) return {};
  const uint64_t asked = ahead_ + given_;
  ahead_ = at < end_ || at - end_ >= asked ? 0 : std::min(asked - (at - end_), kMaxAhead);
  while (!blocks_.empty() && (at < blocks_.front().begin || at >= blocks_.front().end)) DropFront();
  if (blocks_.empty()) Start(at, std::launch::deferred);
  while (blocks_.size() <= ahead_ / kBlock && blocks_.back().end < file_.size())
    Start(blocks_.back().end, std::launch::async);
  const Block& front = blocks_.front();
  end_ = front.end;
  given_ = front.end - at;
  front.read.get();
  return {front.bytes.get() + (at - front.begin), given_};
}

void ReadAhead::Start(uint64_t begin, std::launch policy) {
  Block block{.begin = begin, .end = std::min(begin + kBlock, file_.size())};
  if (spare_.empty()) spare_.push_back(std::make_unique_for_overwrite<uint8_t[]>(kBlock));
  block.bytes = std::move(spare_.back());
  spare_.pop_back();
  const auto read = [this, begin, bytes = block.bytes.get(), size = block.end - begin] {
    file_.ReadAt(begin, bytes, size);
  };
  try {
    block.read = std::async(policy, read).share();
  } catch (const std::system_error&) {  // no more threads: then it is read when it is asked for
    block.read = std::async(std::launch::deferred, read).share();
  }
  blocks_.push_back(std::move(block));
}

void ReadAhead::DropFront() {
  spare_.push_back(std::move(blocks_.front().bytes));
  blocks_.pop_front();  // waits for a read in flight
}

}  // namespace graticule
