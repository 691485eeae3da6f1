#include "data/embedding/embedding_part.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "base/guarded_copy.h"
#include "base/hash.h"
#include "data/dataset.h"

namespace graticule {
namespace {

constexpr char kPlanHash[] = "plan_sha256", kShard[] = "shard";

constexpr char kEmbedAgain[] = "Remove the part and repeat the `graticule embed` command: it makes it again.";

// Of a whole page, and of the short last one.
size_t PageBytes(size_t page, size_t bytes) {
  return std::min(kEmbeddingPage, bytes - page * kEmbeddingPage);
}
size_t Pages(size_t bytes) { return (bytes + kEmbeddingPage - 1) / kEmbeddingPage; }

void CheckTensor(const TensorView& tensor, SafeDType dtype, const std::vector<int64_t>& shape,
                 const char* name, const std::string& path) {
  if (tensor.dtype == dtype && tensor.shape == shape) return;
  throw Error(ErrorCode::kData, fmt::format("tensor {} does not have the type and shape of the plan", name),
              path, kEmbedAgain);
}

}  // namespace

EmbeddingPartWriter::EmbeddingPartWriter(const EmbeddingPlan& plan, int64_t shard)
    : plan_(plan), shard_(shard) {
  const auto rows = static_cast<size_t>(plan.shard_rows.at(static_cast<size_t>(shard)));
  values_.resize(rows * static_cast<size_t>(plan.views) * plan.view_bytes());
  valid_.resize(rows);
}

void EmbeddingPartWriter::Store(int64_t row, const uint8_t* values) {
  const size_t bytes = static_cast<size_t>(plan_.views) * plan_.view_bytes();
  std::memcpy(values_.data() + static_cast<size_t>(row) * bytes, values, bytes);
  valid_.at(static_cast<size_t>(row)) = 1;
}

EmbeddingPart EmbeddingPartWriter::Write(FileSystem& fs, const std::string& folder) const {
  std::vector<uint32_t> crc(Pages(values_.size()));
  for (size_t page = 0; page < crc.size(); ++page)
    crc[page] = Crc32c(values_.data() + page * kEmbeddingPage, PageBytes(page, values_.size()));
  const auto rows = static_cast<int64_t>(valid_.size());
  SafetensorsWriter writer;
  writer.Add("embeddings", {plan_.dtype, {rows, plan_.views, plan_.dim}, values_.data(), values_.size()});
  writer.Add("valid", {SafeDType::kU8, {rows}, valid_.data(), valid_.size()});
  writer.Add("page_crc32c", {SafeDType::kU32,
                             {static_cast<int64_t>(crc.size())},
                             reinterpret_cast<const uint8_t*>(crc.data()),
                             crc.size() * sizeof crc[0]});
  writer.SetMetadata(kPlanHash, Sha256Hex(PlanJson(plan_)));
  writer.SetMetadata(kShard, std::to_string(shard_));
  EmbeddingPart part;
  part.file = EmbeddingPartName(shard_);
  part.sha256 = writer.Write(fs, JoinPath(folder, part.file));
  part.size = fs.FileSize(JoinPath(folder, part.file));
  part.rows = rows;
  part.valid = std::count(valid_.begin(), valid_.end(), 1);
  return part;
}

EmbeddingPartReader::EmbeddingPartReader(const std::string& path, const EmbeddingPlan& plan, int64_t shard)
    : path_(path), file_(SafetensorsFile::Map(path)) {
  const auto metadata = [&](const char* key) {
    const auto found = file_->metadata().find(key);
    return found == file_->metadata().end() ? std::string() : found->second;
  };
  if (metadata(kPlanHash) != Sha256Hex(PlanJson(plan))) {
    throw Error(ErrorCode::kData, "the part was made under another plan", path,
                "Choose another --out folder, or remove this one.");
  }
  if (metadata(kShard) != std::to_string(shard)) {
    throw Error(ErrorCode::kData, fmt::format("this is part {}, not {}", metadata(kShard), shard), path,
                kEmbedAgain);
  }
  const int64_t rows = plan.shard_rows.at(static_cast<size_t>(shard));
  const TensorView &values = file_->at("embeddings"), &valid = file_->at("valid"),
                   &crc = file_->at("page_crc32c");
  CheckTensor(values, plan.dtype, {rows, plan.views, plan.dim}, "embeddings", path);
  CheckTensor(valid, SafeDType::kU8, {rows}, "valid", path);
  CheckTensor(crc, SafeDType::kU32, {static_cast<int64_t>(Pages(values.bytes))}, "page_crc32c", path);
  values_ = values;
  row_bytes_ = static_cast<size_t>(plan.views) * plan.view_bytes();
  valid_.resize(valid.bytes);
  file_->Copy(valid, 0, valid_);
  page_crc_.resize(Pages(values.bytes));
  file_->Copy(crc, 0, {reinterpret_cast<uint8_t*>(page_crc_.data()), crc.bytes});
  checked_ = std::make_unique<std::atomic<uint8_t>[]>(page_crc_.size());
  ready_ = std::make_unique<std::atomic<uint8_t>[]>(valid_.size());
}

int64_t EmbeddingPartReader::valid_rows() const {
  return std::count_if(valid_.begin(), valid_.end(), [](uint8_t v) { return v != 0; });
}

void EmbeddingPartReader::CheckPage(size_t page, int64_t record) const {
  std::vector<uint8_t> bytes(PageBytes(page, values_.bytes));
  for (int attempt = 0; attempt < 2; ++attempt) {
    file_->Copy(values_, page * kEmbeddingPage, bytes);
    if (Crc32c(bytes.data(), bytes.size()) != page_crc_[page]) continue;
    checked_[page].store(1, std::memory_order_relaxed);
    return;
  }
  throw BadRecord{record, fmt::format("page {} of {} does not match its CRC-32C", page, BaseName(path_))};
}

void EmbeddingPartReader::Check(int64_t row, int64_t record) const {
  const size_t begin = static_cast<size_t>(row) * row_bytes_;
  GRATICULE_CHECK(row >= 0 && begin + row_bytes_ <= values_.bytes);
  for (size_t page = begin / kEmbeddingPage; page * kEmbeddingPage < begin + row_bytes_; ++page) {
    if (checked_[page].load(std::memory_order_relaxed) == 0) CheckPage(page, record);
  }
  if (valid(row)) ready_[static_cast<size_t>(row)].store(1, std::memory_order_relaxed);
}

void EmbeddingPartReader::Read(int64_t row, int64_t record, size_t begin, size_t bytes, uint8_t* out) const {
  GRATICULE_CHECK(begin + bytes <= row_bytes_);
  Check(row, record);
  const size_t first = static_cast<size_t>(row) * row_bytes_ + begin;
  if (!GuardedCopy(out, values_.data + first, bytes)) file_->Copy(values_, first, {out, bytes});
}

void CheckPartSize(const std::string& folder, const EmbeddingPart& part) {
  try {
    CheckSize(folder, part);
  } catch (const Error& error) {
    throw Error(error.code(), error.message(), error.where(), kEmbedAgain);
  }
}

std::optional<EmbeddingPart> DescribePart(const std::string& folder, const EmbeddingPlan& plan,
                                          int64_t shard) {
  const std::string path = JoinPath(folder, EmbeddingPartName(shard));
  if (!PosixFs().Exists(path)) return std::nullopt;
  EmbeddingPart part;
  part.file = EmbeddingPartName(shard);
  part.rows = plan.shard_rows.at(static_cast<size_t>(shard));
  part.valid = EmbeddingPartReader(path, plan, shard).valid_rows();
  part.size = PosixFs().FileSize(path);
  part.sha256 = Sha256HexOfFile(path);
  return part;
}

}  // namespace graticule
