// Writes a dataset folder: records in, shards of bounded size, the index and at last the manifest out.
//
// Records keep the order of Append. The folder becomes a dataset only when Finish has written manifest.json.
// After each sealed shard a journal is written, so that an interrupted import goes on after the last sealed
// shard (Resume). Memory: some 500 B per record of the shard that fills and of those being sealed, which are
// four at most and 400,000 records unless one alone is more, and about 70 B per record for the index. One
// thread; the file system is used by those that seal as well. What cannot be read throws Error(kData), what
// cannot be written Error(kCheckpoint).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/file_lock.h"
#include "base/fs.h"
#include "data/shard/dataset_statistics.h"
#include "data/shard/dictionary.h"
#include "data/shard/manifest.h"
#include "data/shard/record_index.h"
#include "data/shard/shard_writer.h"

namespace graticule {

struct DatasetWriterOptions {
  std::string dataset, split = "all", source_uri, licence_note;
  int64_t records_per_shard = 20000;
  uint64_t bytes_per_shard = uint64_t{1} << 30;  // a shard ends before the record that would pass it
};

class DatasetWriter {
 public:
  // Starts in an empty or new folder. `dictionaries` must outlive the writer and be complete: every shard
  // stores them.
  DatasetWriter(FileSystem& fs, std::string folder, DatasetWriterOptions options,
                const Dictionaries& dictionaries);
  ~DatasetWriter();

  // Takes over the shards that a journal of the same `fingerprint` (of sources and options) names, verifying
  // their hashes. Returns the caller's state as of the last seal, or nullopt when there is nothing to resume.
  // Before any Append.
  std::optional<std::string> Resume(const std::string& fingerprint);
  // The caller's state is asked for when a shard is full. It is kept once all records appended until then are
  // safe on disk: full shards are synced and hashed by threads of their own while the next ones fill.
  void OnSeal(std::function<std::string()> state) { state_ = std::move(state); }

  // text: UTF-8, what is written about the image; most datasets have none.
  void Append(std::string_view id, std::span<const uint8_t> jpeg, const ImageFacts& facts,
              const RecordRow& row, std::string_view text = {});
  // Seals the current shard if an image of so many bytes no longer fits into it. Append does this too; a
  // caller whose state must not yet know the next image calls it before looking at that image.
  void MakeRoom(uint64_t bytes);
  // Length and CRC-32C of every image so far, those of resumed shards included.
  void ForEachImage(const std::function<void(uint32_t len, uint32_t crc32c)>& call) const {
    index_.ForEachImage(call);
  }
  int64_t size() const { return index_.size(); }
  // Seals the last shard and waits until all are in the journal, with the caller's state.
  void SealAll();
  // Of neighbours in order that both have a place, so far.
  double ConsecutiveWithin25Km() const { return statistics_.ConsecutiveWithin25Km(); }
  // SealAll, then index and manifest; removes the journal.
  Manifest Finish();

 private:
  void Count(uint16_t shard, const ImageSlot& slot, const ImageFacts& facts, const RecordRow& row);
  void SealShard();
  // Waits for the oldest shard that is being sealed and writes it into the journal. Rethrows what went wrong
  // with it.
  void JoinSeal();
  size_t shards_begun() const { return manifest_.shards.size() + sealing_.size(); }
  void Adopt(const ShardEntry& entry);
  std::string ShardName(size_t index) const;

  FileSystem& fs_;
  std::unique_ptr<FileLock> lock_;  // one writer per folder
  std::string folder_;
  DatasetWriterOptions options_;
  const Dictionaries& dictionaries_;
  std::string fingerprint_;
  std::function<std::string()> state_;
  std::unique_ptr<ShardWriter> shard_;
  struct Sealing {
    std::future<ShardEntry> shard;
    std::string state;  // of the caller when it was full
  };
  std::deque<Sealing> sealing_;  // the oldest first
  Manifest manifest_;
  RecordIndexWriter index_;
  DatasetStatistics statistics_;
};

}  // namespace graticule
