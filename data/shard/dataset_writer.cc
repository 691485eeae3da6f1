#include "data/shard/dataset_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/atomic_file.h"
#include "data/shard/shard_reader.h"

namespace graticule {
namespace {

using nlohmann::json;
constexpr char kLockName[] = "import.lock";

// Shards that are sealed at a time: a processor without SHA instructions hashes more slowly than records come
// from archives. The pages of more full shards would have to stay in memory until they are hashed, and so do
// the columns of their records, some 500 bytes each.
constexpr size_t kMostSealed = 4;
constexpr int64_t kMostRecordsSealed = 400'000;

}  // namespace

DatasetWriter::DatasetWriter(FileSystem& fs, std::string folder, DatasetWriterOptions options,
                             const Dictionaries& dictionaries)
    : fs_(fs), folder_(std::move(folder)), options_(std::move(options)), dictionaries_(dictionaries) {
  const auto finished = [&] { return fs_.Exists(JoinPath(folder_, kManifestName)); };
  const Error refusal(ErrorCode::kUsage, "there is a finished dataset here already", folder_,
                      "Choose another --out, or remove the folder.");
  // Before the lock, which needs a folder that can be written to.
  if (finished() && !fs_.Exists(JoinPath(folder_, kJournalName))) throw refusal;
  fs_.MakeDirs(folder_);
  lock_ = std::make_unique<FileLock>(JoinPath(folder_, kLockName),
                                     "wait for that import, or choose another --out");
  RemoveUnfinished(fs_, folder_, [](const std::string& name) {
    return name == kJournalName || name == kIndexName || name == kManifestName ||
           name == "import_report.json" || name == "import_report.txt";
  });
  if (finished()) {
    fs_.Remove(JoinPath(folder_, kJournalName));  // of an import that was killed when all was written
    lock_->RemoveFile();
    throw refusal;
  }
  manifest_.dataset = options_.dataset;
  manifest_.split = options_.split;
  manifest_.source_uri = options_.source_uri;
  manifest_.licence_note = options_.licence_note;
}

DatasetWriter::~DatasetWriter() {
  try {
    while (!sealing_.empty()) JoinSeal();  // what is whole need not be done again
  } catch (...) {
    // This object goes because something failed already, and that is being told.
  }
  sealing_.clear();  // waits: nobody else may take the folder before
  if (lock_ != nullptr) lock_->RemoveFile();
}

std::string DatasetWriter::ShardName(size_t index) const {
  return fmt::format("{}-{:05}.h5", options_.dataset, index);
}

std::optional<std::string> DatasetWriter::Resume(const std::string& fingerprint) {
  GRATICULE_CHECK(size() == 0 && shard_ == nullptr);
  fingerprint_ = fingerprint;
  const std::string path = JoinPath(folder_, kJournalName);
  if (!fs_.Exists(path)) return std::nullopt;
  const json journal = json::parse(ReadFileToString(path), nullptr, false);
  if (!journal.is_object() || journal.value("fingerprint", "") != fingerprint ||
      !journal.contains("shards")) {
    throw Error(ErrorCode::kUsage, "the unfinished import here was of other files or options", folder_,
                "Repeat the first command, or remove the folder to start again.");
  }
  for (const json& item : journal["shards"]) {
    ShardEntry entry;
    entry.file = item.at("file");
    entry.size = item.at("size");
    entry.sha256 = item.at("sha256");
    entry.head_sha256 = item.at("head_sha256");
    entry.n = item.at("n");
    entry.first = item.at("first");
    entry.img_abs_off = item.at("img_abs_off");
    entry.img_bytes = item.at("img_bytes");
    if (entry.first != size() || entry.file != ShardName(manifest_.shards.size())) {
      throw Error(ErrorCode::kData,
                  fmt::format("the journal names {} from record {} on where {} from record {} on is due",
                              entry.file, entry.first, ShardName(manifest_.shards.size()), size()),
                  path, "Remove the folder to start again.");
    }
    Adopt(entry);
  }
  return journal.value("state", "");
}

// Takes a sealed shard into index and statistics, as if its records had just been appended.
void DatasetWriter::Adopt(const ShardEntry& sealed) {
  ShardEntry entry = sealed;
  try {
    CheckHash(folder_, entry);
  } catch (const Error& error) {
    throw Error(error.code(), error.message(), error.where(), "Remove the folder to start again.");
  }
  const ShardReader reader(JoinPath(folder_, entry.file), &entry);
  const std::vector<ImageSlot> slots = reader.Slots();
  const auto width = reader.Column<uint16_t>("/img/width"), height = reader.Column<uint16_t>("/img/height");
  const auto flags = reader.Column<uint8_t>("/img/flags");
  const std::vector<RecordRow> rows = ReadRows(reader);
  const auto shard = static_cast<uint16_t>(manifest_.shards.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    Count(shard, slots[i], {width[i], height[i], flags[i]}, rows[i]);
    if (!rows[i].IsMissing(Col::kLat)) entry.box.Include(rows[i].Float(Col::kLat), rows[i].Float(Col::kLon));
  }
  manifest_.shards.push_back(entry);
}

void DatasetWriter::Count(uint16_t shard, const ImageSlot& slot, const ImageFacts& facts,
                          const RecordRow& row) {
  index_.Append(shard, slot, facts, row);
  statistics_.Add(row);
}

void DatasetWriter::MakeRoom(uint64_t bytes) {
  if (shard_ == nullptr || shard_->size() == 0) return;
  if (shard_->size() >= options_.records_per_shard ||
      shard_->image_bytes() + bytes > options_.bytes_per_shard)
    SealShard();
}

void DatasetWriter::Append(std::string_view id, std::span<const uint8_t> jpeg, const ImageFacts& facts,
                           const RecordRow& row, std::string_view text) {
  MakeRoom(jpeg.size());
  if (shard_ == nullptr) {
    const size_t index = shards_begun();
    if (index > UINT16_MAX) {
      throw Error(ErrorCode::kData, "the dataset has more than 65536 shards", folder_,
                  "Raise --records-per-shard.");
    }
    shard_ = std::make_unique<ShardWriter>(fs_, JoinPath(folder_, ShardName(index)),
                                           ShardAttributes{.dataset = options_.dataset,
                                                           .split = options_.split,
                                                           .source_uri = options_.source_uri,
                                                           .licence_note = options_.licence_note,
                                                           .shard_index = static_cast<uint32_t>(index),
                                                           .global_first = static_cast<uint64_t>(size())});
  }
  const ImageSlot slot = shard_->Append(id, jpeg, facts, row, text);
  Count(static_cast<uint16_t>(shards_begun()), slot, facts, row);
}

void DatasetWriter::SealShard() {
  const auto is_done = [](const std::future<ShardEntry>& shard) {
    return shard.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  };
  const auto most =
      static_cast<size_t>(std::clamp<int64_t>(kMostRecordsSealed / shard_->size(), 1, kMostSealed));
  while (sealing_.size() >= most || (!sealing_.empty() && is_done(sealing_.front().shard))) JoinSeal();
  sealing_.push_back({std::async(std::launch::async,
                                 [this, shard = std::move(shard_)] { return shard->Seal(dictionaries_); }),
                      state_ ? state_() : ""});
}

void DatasetWriter::JoinSeal() {
  Sealing oldest = std::move(sealing_.front());
  sealing_.pop_front();
  try {
    manifest_.shards.push_back(oldest.shard.get());
  } catch (...) {
    sealing_.clear();  // the journal holds no shard behind one that is missing
    throw;
  }
  json journal = {{"fingerprint", fingerprint_}, {"state", oldest.state}, {"shards", json::array()}};
  for (const ShardEntry& s : manifest_.shards) {
    journal["shards"].push_back({{"file", s.file},
                                 {"size", s.size},
                                 {"sha256", s.sha256},
                                 {"head_sha256", s.head_sha256},
                                 {"n", s.n},
                                 {"first", s.first},
                                 {"img_abs_off", s.img_abs_off},
                                 {"img_bytes", s.img_bytes}});
  }
  WriteFileAtomically(fs_, JoinPath(folder_, kJournalName), journal.dump());
}

void DatasetWriter::SealAll() {
  if (shard_ != nullptr) SealShard();
  while (!sealing_.empty()) JoinSeal();
}

Manifest DatasetWriter::Finish() {
  SealAll();
  manifest_.n_records = size();
  manifest_.index = index_.Write(fs_, folder_);
  manifest_.consecutive_within_25km = ConsecutiveWithin25Km();
  manifest_.stats = statistics_.Columns();
  for (const auto& [level, dictionary] : dictionaries_) {
    manifest_.dictionaries[level] = {static_cast<int64_t>(dictionary.pool().size()),
                                     dictionary.pool().Sha256()};
  }
  WriteManifest(fs_, folder_, manifest_);
  fs_.Remove(JoinPath(folder_, kJournalName));
  lock_->RemoveFile();
  lock_.reset();
  return ReadManifest(folder_);
}

}  // namespace graticule
