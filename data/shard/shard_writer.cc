#include "data/shard/shard_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/hash.h"
#include "data/shard/hdf5.h"

namespace graticule {
namespace {

constexpr uint64_t kRecordAlignment = 8;
constexpr uint64_t kMinReserved = 1 << 20;  // below it HDF5 would not align /img/data
constexpr char kPackerVersion[] = "graticule 0.1.0";

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

struct ColumnText {
  const char *units, *missing, *long_name;
};

// One dataset with the attributes that every dataset carries.
void Put(H5Writer& out, const std::string& path, ColumnType type, uint64_t count, const void* data,
         const ColumnText& text) {
  out.WriteDataset(path, type, count, data);
  out.SetAttribute(path, "crc32c", Crc32c(data, count * SizeOf(type)));
  out.SetAttribute(path, "units", std::string_view(text.units));
  out.SetAttribute(path, "missing", std::string_view(text.missing));
  out.SetAttribute(path, "long_name", std::string_view(text.long_name));
}

template <typename T, typename Items, typename Get>
void PutField(H5Writer& out, const std::string& path, ColumnType type, const Items& items, Get get,
              const ColumnText& text) {
  std::vector<T> values;
  values.reserve(items.size());
  for (const auto& item : items) values.push_back(get(item));
  Put(out, path, type, values.size(), values.data(), text);
}

void PutPool(H5Writer& out, const std::string& data, const std::string& off, const StringPool& pool,
             const char* long_name) {
  Put(out, data, ColumnType::kU8, pool.data.size(), pool.data.data(), {"UTF-8", "", long_name});
  Put(out, off, ColumnType::kU64, pool.off.size(), pool.off.data(),
      {"byte", "", "n + 1 offsets into the pool"});
}

std::string MissingText(const ColumnSpec& spec) {
  if (std::isnan(spec.missing)) return "NaN";
  if (spec.col == Col::kSrcRow) return "18446744073709551615";
  return fmt::format("{:.0f}", spec.missing);
}

}  // namespace

ShardWriter::ShardWriter(FileSystem& fs, std::string path, ShardAttributes attributes)
    : fs_(fs),
      path_(std::move(path)),
      temporary_(path_ + ".tmp"),
      attributes_(std::move(attributes)),
      file_(fs.Create(temporary_)),
      columns_(kColCount),
      filled_(kColCount, false) {}

ShardWriter::~ShardWriter() {
  if (file_ == nullptr) return;
  file_.reset();
  try {
    fs_.Remove(temporary_);
  } catch (const Error&) {
    // Nothing to add: the error that left this writer unsealed is already on its way.
  }
}

ImageSlot ShardWriter::Append(std::string_view id, std::span<const uint8_t> jpeg, const ImageFacts& facts,
                              const RecordRow& row, std::string_view text) {
  static constexpr uint8_t kZeros[kRecordAlignment] = {};
  const ImageSlot slot{cursor_, static_cast<uint32_t>(jpeg.size()), Crc32c(jpeg.data(), jpeg.size())};
  const uint64_t end = cursor_ + jpeg.size();
  file_->WriteAt(kImageDataOffset + cursor_, jpeg.data(), jpeg.size());
  image_crc_ = Crc32c(jpeg.data(), jpeg.size(), image_crc_);
  cursor_ = RoundUp(end, kRecordAlignment);
  if (cursor_ > end) {
    file_->WriteAt(kImageDataOffset + end, kZeros, cursor_ - end);
    image_crc_ = Crc32c(kZeros, cursor_ - end, image_crc_);
  }
  slots_.push_back(slot);
  facts_.push_back(facts);
  ids_.Add(id);
  texts_.Add(text);
  for (const ColumnSpec& spec : Columns()) {
    const auto c = static_cast<size_t>(spec.col);
    const size_t width = SizeOf(spec.type);
    columns_[c].resize(columns_[c].size() + width);
    row.Store(spec.col, columns_[c].data() + columns_[c].size() - width);
    if (!row.IsMissing(spec.col)) filled_[c] = true;
  }
  if (!row.IsMissing(Col::kLat)) box_.Include(row.Float(Col::kLat), row.Float(Col::kLon));
  return slot;
}

void ShardWriter::WriteSkeleton(const std::string& path, uint64_t reserved,
                                const Dictionaries& dictionaries) const {
  H5Writer out(path);
  const uint64_t offset = out.Reserve("/img/data", reserved);
  GRATICULE_CHECK(offset == kImageDataOffset, "HDF5 placed /img/data elsewhere");
  out.SetAttribute("/img/data", "crc32c", image_crc_);
  out.SetAttribute("/img/data", "units", "byte");
  out.SetAttribute("/img/data", "missing", "");
  out.SetAttribute("/img/data", "long_name", "encoded images, each at a multiple of 8 bytes");
  using enum ColumnType;
  PutField<uint64_t>(out, "/img/off", kU64, slots_, [](const ImageSlot& s) { return s.off; },
                     {"byte", "", "first byte of the image in /img/data"});
  PutField<uint32_t>(out, "/img/len", kU32, slots_, [](const ImageSlot& s) { return s.len; },
                     {"byte", "0", "length of the image"});
  PutField<uint32_t>(out, "/img/crc32c", kU32, slots_, [](const ImageSlot& s) { return s.crc32c; },
                     {"1", "", "CRC-32C (Castagnoli) of the image's bytes"});
  PutField<uint16_t>(out, "/img/width", kU16, facts_, [](const ImageFacts& f) { return f.width; },
                     {"px", "0", "width as stored"});
  PutField<uint16_t>(out, "/img/height", kU16, facts_, [](const ImageFacts& f) { return f.height; },
                     {"px", "0", "height as stored"});
  PutField<uint8_t>(
      out, "/img/flags", kU8, facts_, [](const ImageFacts& f) { return f.flags; },
      {"1", "0", "1 progressive, 2 grayscale, 4 CMYK, 8 EXIF asks for a rotation, 16 truncated"});
  PutPool(out, "/id/str_data", "/id/str_off", ids_, "ids of the source");
  if (!texts_.data.empty())
    PutPool(out, "/text/data", "/text/off", texts_, "what is written about the image");
  for (const ColumnSpec& spec : Columns()) {
    const auto c = static_cast<size_t>(spec.col);
    const bool always = spec.col == Col::kLat || spec.col == Col::kLon;
    if (!filled_[c] && !always) continue;
    Put(out, spec.path, spec.type, slots_.size(), columns_[c].data(),
        {spec.units, MissingText(spec).c_str(), spec.long_name});
  }
  for (const auto& [level, dictionary] : dictionaries) {
    const std::string group = "/dict/" + level;
    PutPool(out, group + "/data", group + "/off", dictionary.pool(), "names, entry 0 is empty");
    out.SetAttribute(group + "/data", "sha256", dictionary.pool().Sha256());
  }
  const ShardAttributes& a = attributes_;
  out.SetAttribute("/", "schema", std::string_view(kRecordSchema));
  out.SetAttribute("/", "schema_version", kSchemaMajor);
  out.SetAttribute("/", "schema_version_minor", kSchemaMinor);
  out.SetAttribute("/", "dataset", a.dataset);
  out.SetAttribute("/", "split", a.split);
  out.SetAttribute("/", "shard_index", a.shard_index);
  out.SetAttribute("/", "n_records", static_cast<uint64_t>(slots_.size()));
  out.SetAttribute("/", "source_uri", a.source_uri);
  out.SetAttribute("/", "source_sha256", a.source_sha256);
  out.SetAttribute("/", "licence_note", a.licence_note);
  out.SetAttribute("/", "jpeg_policy", a.jpeg_policy);
  out.SetAttribute("/", "packer_version", std::string_view(kPackerVersion));
  out.SetAttribute("/", "perm_seed", uint64_t{0});
  out.SetAttribute("/", "global_first", a.global_first);
  out.Close();
}

ShardEntry ShardWriter::Seal(const Dictionaries& dictionaries) {
  GRATICULE_CHECK(file_ != nullptr, "sealed twice");
  const uint64_t reserved = std::max(kMinReserved, cursor_);
  if (reserved > cursor_) {
    const std::vector<uint8_t> zeros(reserved - cursor_, 0);
    file_->WriteAt(kImageDataOffset + cursor_, zeros.data(), zeros.size());
    image_crc_ = Crc32c(zeros.data(), zeros.size(), image_crc_);
  }
  const std::string skeleton = path_ + ".head.tmp";
  ShardEntry entry;
  Sha256 head_hash;
  try {
    WriteSkeleton(skeleton, reserved, dictionaries);
    const std::unique_ptr<ReadableFile> source = fs_.Open(skeleton);
    entry.size = source->size();
    GRATICULE_CHECK(entry.size >= kImageDataOffset + reserved);
    std::vector<uint8_t> buffer(1 << 20);
    const auto graft = [&](uint64_t from, uint64_t to) {
      for (uint64_t at = from; at < to; at += buffer.size()) {
        const size_t bytes = std::min<uint64_t>(buffer.size(), to - at);
        source->ReadAt(at, buffer.data(), bytes);
        head_hash.Update(buffer.data(), bytes);
        file_->WriteAt(at, buffer.data(), bytes);
      }
    };
    graft(0, kImageDataOffset);
    graft(kImageDataOffset + reserved, entry.size);
  } catch (...) {
    fs_.Remove(skeleton);
    throw;
  }
  fs_.Remove(skeleton);
  file_->Sync();
  file_->Close();
  entry.sha256 = Sha256HexOfFile(temporary_);
  fs_.Rename(temporary_, path_);
  fs_.SyncDir(DirName(path_));
  file_.reset();
  entry.file = BaseName(path_);
  entry.head_sha256 = head_hash.HexDigest();
  entry.n = size();
  entry.first = static_cast<int64_t>(attributes_.global_first);
  entry.img_abs_off = kImageDataOffset;
  entry.img_bytes = reserved;
  entry.box = box_;
  return entry;
}

}  // namespace graticule
