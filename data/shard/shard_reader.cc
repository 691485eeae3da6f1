#include "data/shard/shard_reader.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/guarded_copy.h"
#include "base/hash.h"

namespace graticule {
namespace {

constexpr char kFetchAgain[] = "Fetch or import the shard again.";

// Mean size up to which images are copied from a mapping. They lie in two pages or three then: larger ones
// that are not in memory yet come faster by one read than by a fault for each page.
constexpr uint64_t kSmallImage = 8 << 10;

template <typename T>
constexpr ColumnType kTypeOf = ColumnType::kU8;
template <>
constexpr ColumnType kTypeOf<int8_t> = ColumnType::kI8;
template <>
constexpr ColumnType kTypeOf<uint16_t> = ColumnType::kU16;
template <>
constexpr ColumnType kTypeOf<uint32_t> = ColumnType::kU32;
template <>
constexpr ColumnType kTypeOf<int32_t> = ColumnType::kI32;
template <>
constexpr ColumnType kTypeOf<uint64_t> = ColumnType::kU64;
template <>
constexpr ColumnType kTypeOf<int64_t> = ColumnType::kI64;
template <>
constexpr ColumnType kTypeOf<float> = ColumnType::kF32;
template <>
constexpr ColumnType kTypeOf<double> = ColumnType::kF64;

// Size and head hash before the HDF5 parser touches the file.
std::unique_ptr<ReadableFile> OpenChecked(const std::string& path, const ShardEntry* expected) {
  if (expected == nullptr) return PosixFs().Open(path);
  CheckSize(DirName(path), *expected);
  std::unique_ptr<ReadableFile> file = PosixFs().Open(path);
  const std::string found = HeadSha256(*file, expected->img_abs_off, expected->img_bytes);
  if (found != expected->head_sha256) {
    throw Error(ErrorCode::kData,
                fmt::format("head SHA-256 is {}, the manifest says {}", found, expected->head_sha256), path,
                kFetchAgain);
  }
  return file;
}

}  // namespace

std::string HeadSha256(const ReadableFile& file, uint64_t img_abs_off, uint64_t img_bytes) {
  Sha256 hash;
  std::vector<uint8_t> buffer(1 << 20);
  const auto feed = [&](uint64_t from, uint64_t to) {
    for (uint64_t at = from; at < to; at += buffer.size()) {
      const size_t bytes = std::min<uint64_t>(buffer.size(), to - at);
      file.ReadAt(at, buffer.data(), bytes);
      hash.Update(buffer.data(), bytes);
    }
  };
  feed(0, std::min(img_abs_off, file.size()));
  feed(img_abs_off + img_bytes, file.size());
  return hash.HexDigest();
}

ShardReader::ShardReader(const std::string& path, const ShardEntry* expected)
    : path_(path), file_(OpenChecked(path, expected)) {
  const auto open = [&] { hdf5_ = std::make_unique<const H5Reader>(path); };
  // Where the head's hash was right, a failure is the storage's.
  expected != nullptr ? RepeatOnFailure(open) : open();
  if (hdf5_->StringAttribute("/", "schema") != kRecordSchema) {
    throw Error(ErrorCode::kData, fmt::format("attribute schema is not \"{}\"", kRecordSchema), path,
                "This HDF5 file is not a graticule shard.");
  }
  if (hdf5_->IntAttribute("/", "schema_version") != kSchemaMajor) {
    throw Error(ErrorCode::kData, fmt::format("schema_version is not {}", kSchemaMajor), path,
                "The shard was written by another version of graticule.");
  }
  images_ = Info("/img/data");
  size_ = static_cast<int64_t>(Info("/img/off").count);
  for (const auto& [name, info] : hdf5_->datasets()) {
    const bool per_record =
        !name.starts_with("/dict/") && name != "/img/data" && !name.starts_with("/id/str_");
    const bool known = std::any_of(Columns().begin(), Columns().end(),
                                   [&path = name](const ColumnSpec& s) { return s.path == path; });
    if (per_record && (known || name.starts_with("/img/")) && info.count != static_cast<uint64_t>(size_)) {
      throw Error(ErrorCode::kData, fmt::format("{} has {} rows, /img/off has {}", name, info.count, size_),
                  path, kFetchAgain);
    }
  }
  if (hdf5_->IntAttribute("/", "n_records") != static_cast<uint64_t>(size_)) {
    throw Error(ErrorCode::kData,
                fmt::format("attribute n_records differs from the {} rows of /img/off", size_), path,
                kFetchAgain);
  }
  if (size_ > 0 && images_.bytes / static_cast<uint64_t>(size_) <= kSmallImage) {
    try {
      mapped_ = MappedFile(*file_, path);
      mapped_.ExpectRandomReads();
    } catch (const Error&) {  // some file systems do not map: images are read then
    }
  }
  if (expected == nullptr) return;
  if (size_ != expected->n || images_.offset != expected->img_abs_off ||
      images_.bytes != expected->img_bytes) {
    throw Error(
        ErrorCode::kData,
        fmt::format("holds {} records and {} image bytes at {}, the manifest says {}, {} at {}", size_,
                    images_.bytes, images_.offset, expected->n, expected->img_bytes, expected->img_abs_off),
        path, kFetchAgain);
  }
}

const H5DatasetInfo& ShardReader::Info(const std::string& column) const {
  const auto found = hdf5_->datasets().find(column);
  if (found == hdf5_->datasets().end()) {
    throw Error(ErrorCode::kData, fmt::format("dataset {} is missing", column), path_, kFetchAgain);
  }
  return found->second;
}

std::vector<uint8_t> ShardReader::ColumnBytes(const std::string& column) const {
  const H5DatasetInfo& info = Info(column);
  const std::optional<uint64_t> expected = hdf5_->IntAttribute(column, "crc32c");
  if (!expected)
    throw Error(ErrorCode::kData, fmt::format("{} has no crc32c attribute", column), path_, kFetchAgain);
  std::vector<uint8_t> bytes(info.bytes);
  for (int attempt = 0; attempt < 2; ++attempt) {
    file_->ReadAt(info.offset, bytes.data(), bytes.size());
    if (Crc32c(bytes.data(), bytes.size()) == *expected) return bytes;
  }
  throw Error(ErrorCode::kData, fmt::format("the bytes of {} do not match its crc32c attribute", column),
              path_, kFetchAgain);
}

template <typename T>
std::vector<T> ShardReader::Column(const std::string& column) const {
  if (Info(column).type != kTypeOf<T>) {
    throw Error(ErrorCode::kData, fmt::format("{} does not have the type of the record schema", column),
                path_, kFetchAgain);
  }
  const std::vector<uint8_t> bytes = ColumnBytes(column);
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}
template std::vector<uint8_t> ShardReader::Column(const std::string&) const;
template std::vector<int8_t> ShardReader::Column(const std::string&) const;
template std::vector<uint16_t> ShardReader::Column(const std::string&) const;
template std::vector<uint32_t> ShardReader::Column(const std::string&) const;
template std::vector<int32_t> ShardReader::Column(const std::string&) const;
template std::vector<uint64_t> ShardReader::Column(const std::string&) const;
template std::vector<int64_t> ShardReader::Column(const std::string&) const;
template std::vector<float> ShardReader::Column(const std::string&) const;
template std::vector<double> ShardReader::Column(const std::string&) const;

StringPool ShardReader::Pool(const std::string& data, const std::string& off) const {
  StringPool pool;
  const std::vector<uint8_t> bytes = Column<uint8_t>(data);
  pool.data.assign(bytes.begin(), bytes.end());
  pool.off = Column<uint64_t>(off);
  const bool ordered = std::is_sorted(pool.off.begin(), pool.off.end());
  if (pool.off.empty() || pool.off.front() != 0 || pool.off.back() != pool.data.size() || !ordered) {
    throw Error(ErrorCode::kData, fmt::format("{} does not divide {}", off, data), path_, kFetchAgain);
  }
  return pool;
}

void ShardReader::ReadImage(const ImageSlot& slot, int64_t record, std::vector<uint8_t>& out) const {
  GRATICULE_CHECK(slot.off <= images_.bytes && slot.len <= images_.bytes - slot.off);
  out.resize(slot.len);
  const uint64_t begin = images_.offset + slot.off;
  const auto is_right = [&] { return Crc32c(out.data(), slot.len) == slot.crc32c; };
  if (begin + slot.len <= mapped_.bytes().size() &&
      GuardedCopy(out.data(), mapped_.bytes().data() + begin, slot.len) && is_right())
    return;
  for (int attempt = 0; attempt < 2; ++attempt) {
    file_->ReadAt(begin, out.data(), slot.len);
    if (is_right()) return;
  }
  throw BadRecord{record, "the image's bytes do not match their CRC-32C"};
}

void ShardReader::ReadAhead(uint64_t off, uint64_t bytes) const {
  // A hint: a system that does not take it reads later.
  ::posix_fadvise(file_->fd(), static_cast<off_t>(images_.offset + off), static_cast<off_t>(bytes),
                  POSIX_FADV_WILLNEED);
}

std::vector<ImageSlot> ShardReader::Slots() const {
  const std::vector<uint64_t> off = Column<uint64_t>("/img/off");
  const std::vector<uint32_t> len = Column<uint32_t>("/img/len"), crc = Column<uint32_t>("/img/crc32c");
  std::vector<ImageSlot> slots(off.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    if (off[i] > images_.bytes || len[i] > images_.bytes - off[i]) {
      throw Error(ErrorCode::kData, fmt::format("image {} lies outside /img/data", i), path_, kFetchAgain);
    }
    slots[i] = {off[i], len[i], crc[i]};
  }
  return slots;
}

}  // namespace graticule
