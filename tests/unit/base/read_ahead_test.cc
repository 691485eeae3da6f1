#include "base/read_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "tests/unit/base/failure_of.h"

namespace graticule {
namespace {

constexpr uint64_t kMiB = 1 << 20;

std::string Noise(size_t bytes) {
  std::mt19937_64 random(bytes);
  std::string text;
  while (text.size() < bytes) {
    const uint64_t word = random();
    text.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  text.resize(bytes);
  return text;
}

// A string as a file that keeps account of its reads; reads that touch [fail_from, fail_to) fail.
class CountedFile final : public ReadableFile {
 public:
  explicit CountedFile(std::string text) : text_(std::move(text)) {}
  uint64_t size() const override { return text_.size(); }
  int fd() const override { return -1; }
  void ReadAt(uint64_t offset, void* out, size_t bytes) const override {
    ASSERT_LE(offset + bytes, text_.size());
    {
      const std::lock_guard lock(mutex_);
      bytes_read_ += bytes;
      far_end_ = std::max(far_end_, offset + bytes);
      if (std::this_thread::get_id() != home_) ++reads_elsewhere_;
    }
    changed_.notify_all();
    if (offset < fail_to && offset + bytes > fail_from)
      throw Error(ErrorCode::kData, "cannot read: bad sector", "disk");
    std::copy_n(text_.data() + offset, bytes, static_cast<char*>(out));
  }
  uint64_t bytes_read() const {
    const std::lock_guard lock(mutex_);
    return bytes_read_;
  }
  int reads_elsewhere() const {
    const std::lock_guard lock(mutex_);
    return reads_elsewhere_;
  }
  // Whether a read that ends at `offset` or behind it is begun within ten seconds.
  bool ReadsUpTo(uint64_t offset) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return far_end_ >= offset; });
  }
  uint64_t far_end() const {
    const std::lock_guard lock(mutex_);
    return far_end_;
  }

  uint64_t fail_from = 0, fail_to = 0;

 private:
  std::string text_;
  const std::thread::id home_ = std::this_thread::get_id();
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable uint64_t bytes_read_ = 0, far_end_ = 0;
  mutable int reads_elsewhere_ = 0;
};

TEST(ReadAhead, GivesTheBytesOfTheFileWhereverItIsAsked) {
  const std::string text = Noise(40 * kMiB + 123);
  for (int seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    const CountedFile file(text);
    ReadAhead blocks(file);
    uint64_t at = 0, given = 0;
    for (int step = 0; step < 100; ++step) {
      const std::span<const uint8_t> bytes = blocks.From(at);
      ASSERT_EQ(bytes.empty(), at == text.size()) << "seed " << seed << " step " << step;
      ASSERT_LE(bytes.size(), kMiB);
      ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), reinterpret_cast<const uint8_t*>(text.data()) + at))
          << "seed " << seed << " step " << step << " at " << at;
      given += bytes.size();
      at += bytes.size();
      // Mostly on, sometimes over a little or much, sometimes anywhere.
      const uint64_t kind = random() % 10;
      if (kind == 7) at = std::min<uint64_t>(text.size(), at + random() % (100 << 10));
      if (kind == 8) at = std::min<uint64_t>(text.size(), at + random() % (12 * kMiB));
      if (kind == 9) at = random() % (text.size() + 1);
    }
    EXPECT_LE(file.bytes_read(), 2 * given) << "seed " << seed;
  }
}

TEST(ReadAhead, ReadsAWholeFileOnceAndEightBlocksAhead) {
  const CountedFile file(Noise(30 * kMiB + 5));
  ReadAhead blocks(file);
  for (uint64_t at = 0; at < 12 * kMiB; at += kMiB) ASSERT_EQ(blocks.From(at).size(), kMiB);
  EXPECT_TRUE(file.ReadsUpTo(20 * kMiB)) << file.far_end();
  EXPECT_EQ(file.far_end(), 20 * kMiB);
  uint64_t at = 12 * kMiB;
  while (at < file.size()) at += blocks.From(at).size();
  EXPECT_EQ(file.bytes_read(), file.size());
  EXPECT_TRUE(blocks.From(at).empty());
}

TEST(ReadAhead, LeapsReadSingleBlocksInTheCallersThread) {
  const CountedFile file(Noise(64 * kMiB));
  ReadAhead blocks(file);
  for (int i = 0; i < 30; ++i) ASSERT_EQ(blocks.From(uint64_t{2} * i * kMiB + i).size(), kMiB);
  for (int i = 29; i >= 0; --i) ASSERT_EQ(blocks.From(uint64_t{2} * i * kMiB).size(), kMiB);
  EXPECT_EQ(file.bytes_read(), 60 * kMiB);
  EXPECT_EQ(file.reads_elsewhere(), 0);
}

// Small members that are passed over leave the reads in flight; large ones end them.
TEST(ReadAhead, SkipsWithinWhatIsInFlight) {
  const CountedFile file(Noise(64 * kMiB));
  ReadAhead blocks(file);
  uint64_t at = 0;
  while (at < 30 * kMiB) at += blocks.From(at).size() + 1000;
  EXPECT_TRUE(file.ReadsUpTo(at + 6 * kMiB)) << file.far_end();
  EXPECT_EQ(blocks.From(at + 20 * kMiB).size(), kMiB);
  EXPECT_LE(file.bytes_read(), at + 9 * kMiB);
}

TEST(ReadAhead, AFailedReadIsToldByTheCallThatNeedsIt) {
  const std::string text = Noise(20 * kMiB);
  CountedFile file(text);
  file.fail_from = 6 * kMiB + 10;
  file.fail_to = file.fail_from + 1;
  ReadAhead blocks(file);
  for (uint64_t at = 0; at < 6 * kMiB; at += kMiB) ASSERT_EQ(blocks.From(at).size(), kMiB);
  for (int again = 0; again < 2; ++again) {
    const std::string told = FailureOf([&] { blocks.From(6 * kMiB); });
    EXPECT_NE(told.find("cannot read: bad sector"), told.npos) << told;
    EXPECT_NE(told.find("disk"), told.npos) << told;
  }
  const std::span<const uint8_t> behind = blocks.From(7 * kMiB);
  ASSERT_EQ(behind.size(), kMiB);
  EXPECT_EQ(behind[0], static_cast<uint8_t>(text[7 * kMiB]));
  EXPECT_EQ(blocks.From(2 * kMiB)[5], static_cast<uint8_t>(text[2 * kMiB + 5]));
}

// Nobody asks for the block that fails: it is read ahead, and the object goes.
TEST(ReadAhead, AFailedReadThatNobodyNeedsIsNotTold) {
  CountedFile file(Noise(20 * kMiB));
  file.fail_from = 3 * kMiB;
  file.fail_to = 4 * kMiB;
  ReadAhead blocks(file);
  blocks.From(0);
  blocks.From(kMiB);
  ASSERT_EQ(blocks.From(2 * kMiB).size(), kMiB);
  EXPECT_TRUE(file.ReadsUpTo(4 * kMiB));
  EXPECT_EQ(blocks.From(4 * kMiB).size(), kMiB);
}

}  // namespace
}  // namespace graticule
