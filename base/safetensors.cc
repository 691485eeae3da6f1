#include "base/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/atomic_file.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace graticule {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr uint64_t kMaxInteger = (uint64_t{1} << 48) - 1;  // cap of the published header schema
constexpr size_t kMaxRank = 64;

struct DTypeInfo {
  SafeDType dtype;
  std::string_view name;
  size_t size;
};
// In the reference writer's order of tensors, first to last.
constexpr DTypeInfo kDTypes[] = {
    {SafeDType::kU64, "U64", 8},   {SafeDType::kI64, "I64", 8}, {SafeDType::kF64, "F64", 8},
    {SafeDType::kF32, "F32", 4},   {SafeDType::kU32, "U32", 4}, {SafeDType::kI32, "I32", 4},
    {SafeDType::kBF16, "BF16", 2}, {SafeDType::kF16, "F16", 2}, {SafeDType::kU16, "U16", 2},
    {SafeDType::kI16, "I16", 2},   {SafeDType::kI8, "I8", 1},   {SafeDType::kU8, "U8", 1},
    {SafeDType::kBool, "BOOL", 1},
};

size_t RankOf(SafeDType dtype) {
  for (size_t i = 0; i < std::size(kDTypes); ++i) {
    if (kDTypes[i].dtype == dtype) return i;
  }
  GRATICULE_CHECK(false, "unknown dtype");
}

// One header entry as written, before its numbers are believed.
struct RawEntry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<uint64_t> offsets;
  std::set<std::string> seen;
};

// Walks the header as events, so that duplicate keys are seen and nothing outside the schema is stored.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<RawEntry> entries;
  std::map<std::string, std::string> metadata;
  std::string problem;

  bool null() override { return Refuse("null"); }
  bool boolean(bool) override { return Refuse("a boolean"); }
  bool number_float(double, const std::string& text) override {
    return Refuse(fmt::format("the number {}", text.substr(0, 40)));
  }
  bool binary(binary_t&) override { return Refuse("binary data"); }
  bool number_integer(int64_t value) override { return Refuse(fmt::format("the negative number {}", value)); }
  bool number_unsigned(uint64_t value) override {
    if (value > kMaxInteger) return Refuse(fmt::format("the number {} (at most 2^48 - 1)", value));
    if (place_ == Place::kShape) {
      if (entries.back().shape.size() == kMaxRank) return Refuse("more than 64 dimensions");
      entries.back().shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets) {
      if (entries.back().offsets.size() == 2) return Refuse("a third data offset");
      entries.back().offsets.push_back(value);
      return true;
    }
    return Refuse(fmt::format("the number {}", value));
  }
  bool string(std::string& value) override {
    if (place_ == Place::kMetadata) {
      metadata[key_] = value;
      return true;
    }
    if (place_ != Place::kEntry || key_ != "dtype") return Refuse("a string");
    entries.back().dtype = value;
    return true;
  }
  bool start_object(size_t) override {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
    } else if (place_ == Place::kTop) {
      place_ = key_ == "__metadata__" ? Place::kMetadata : Place::kEntry;
      if (place_ == Place::kEntry) entries.push_back({.name = key_});
    } else {
      return Refuse("an object");
    }
    return true;
  }
  bool key(std::string& value) override {
    std::set<std::string>& seen = place_ == Place::kTop        ? names_
                                  : place_ == Place::kMetadata ? metadata_keys_
                                                               : entries.back().seen;
    if (!seen.insert(value).second) {
      problem = fmt::format("the key \"{}\" comes twice", Printable(value));
      return false;
    }
    if (place_ == Place::kEntry && value != "dtype" && value != "shape" && value != "data_offsets") {
      problem = fmt::format("tensor \"{}\" has the unknown attribute \"{}\"", Printable(entries.back().name),
                            Printable(value));
      return false;
    }
    key_ = value;
    return true;
  }
  bool end_object() override {
    if (place_ == Place::kEntry) {
      const RawEntry& e = entries.back();
      if (e.seen.size() != 3 || e.offsets.size() != 2) {
        problem = fmt::format("tensor \"{}\" needs dtype, shape and two data_offsets", Printable(e.name));
        return false;
      }
    }
    place_ = place_ == Place::kTop ? Place::kStart : Place::kTop;
    return true;
  }
  bool start_array(size_t) override {
    if (place_ != Place::kEntry || key_ == "dtype") return Refuse("a list");
    place_ = key_ == "shape" ? Place::kShape : Place::kOffsets;
    return true;
  }
  bool end_array() override {
    place_ = Place::kEntry;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    if (problem.empty()) problem = fmt::format("invalid JSON or UTF-8 at header byte {}", position);
    return false;
  }

 private:
  enum class Place { kStart, kTop, kMetadata, kEntry, kShape, kOffsets };
  bool Refuse(const std::string& what) {
    problem = fmt::format("found {} where the format has none (after key \"{}\")", what, Printable(key_));
    return false;
  }
  Place place_ = Place::kStart;
  std::string key_;
  std::set<std::string> names_, metadata_keys_;
};

std::optional<SafeDType> DTypeOf(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return info.dtype;
  }
  return std::nullopt;
}

class FileImpl : public SafetensorsFile {
 public:
  FileImpl(std::string name, ErrorCode code) : name_(std::move(name)), code_(code) {}
  void Load(const std::string& path);
  void Map(const std::string& path);
  void Read(std::span<const uint8_t> bytes);
  const std::map<std::string, TensorView>& tensors() const override { return tensors_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const TensorView& at(const std::string& name) const override {
    const auto found = tensors_.find(name);
    if (found != tensors_.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [known, view] : tensors_) names.push_back(known);
    const std::string near = Nearest(name, names);
    throw Error(code_, fmt::format("found no tensor \"{}\" among {}", Printable(name), tensors_.size()),
                name_, near.empty() ? "" : fmt::format("the nearest name is \"{}\"", Printable(near)));
  }
  void Copy(const TensorView& tensor, size_t from, std::span<uint8_t> out) const override;

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(code_, "malformed safetensors: " + what, name_,
                "the file is damaged or not a safetensors file");
  }
  void CheckSize(uint64_t file) const;
  void CheckLength(uint64_t header, uint64_t file) const;
  std::vector<RawEntry> ReadHeader(std::span<const uint8_t> header);
  std::vector<RawEntry> ReadHeader(const ReadableFile& file, uint64_t& data_at);
  void Place(std::vector<RawEntry> entries, std::span<const uint8_t> data);

  std::string name_;
  ErrorCode code_;
  std::unique_ptr<uint8_t[]> memory_;   // of a file that was loaded
  std::unique_ptr<ReadableFile> file_;  // of one that is mapped, with
  MappedFile mapping_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

constexpr size_t kLengthBytes = 8;

uint64_t HeaderLength(const uint8_t* bytes) {
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;) length = length << 8 | bytes[i];
  return length;
}

void FileImpl::CheckSize(uint64_t file) const {
  if (file < kLengthBytes)
    Fail(fmt::format("the file has {} bytes, a header length needs {}", file, kLengthBytes));
}

void FileImpl::CheckLength(uint64_t header, uint64_t file) const {
  if (header > kMaxHeaderBytes) Fail(fmt::format("header of {} bytes, at most {}", header, kMaxHeaderBytes));
  if (header > file - kLengthBytes)
    Fail(fmt::format("header of {} bytes in a file of {} bytes", header, file));
}

void FileImpl::Load(const std::string& path) {
  const auto file = PosixFs().Open(path);
  uint64_t data_at = 0;
  std::vector<RawEntry> entries = ReadHeader(*file, data_at);
  const uint64_t bytes = file->size() - data_at;
  memory_ = std::make_unique_for_overwrite<uint8_t[]>(bytes);
  Place(std::move(entries), {memory_.get(), bytes});
  file->ReadAt(data_at, memory_.get(), bytes);
}

void FileImpl::Map(const std::string& path) {
  file_ = PosixFs().Open(path);
  uint64_t data_at = 0;
  std::vector<RawEntry> entries = ReadHeader(*file_, data_at);
  mapping_ = MappedFile(*file_, path);
  Place(std::move(entries), mapping_.bytes().subspan(data_at));
}

std::vector<RawEntry> FileImpl::ReadHeader(const ReadableFile& file, uint64_t& data_at) {
  CheckSize(file.size());
  uint8_t first[kLengthBytes];
  file.ReadAt(0, first, kLengthBytes);
  const uint64_t length = HeaderLength(first);
  CheckLength(length, file.size());
  std::vector<uint8_t> header(length);
  file.ReadAt(kLengthBytes, header.data(), length);
  data_at = kLengthBytes + length;
  return ReadHeader(header);
}

void FileImpl::Read(std::span<const uint8_t> bytes) {
  CheckSize(bytes.size());
  const uint64_t length = HeaderLength(bytes.data());
  CheckLength(length, bytes.size());
  Place(ReadHeader(bytes.subspan(kLengthBytes, length)), bytes.subspan(kLengthBytes + length));
}

std::vector<RawEntry> FileImpl::ReadHeader(std::span<const uint8_t> header) {
  // The parser takes NUL for the end of its input, so a hidden rest has to be looked for here.
  if (header.empty() || header[0] != '{' || std::memchr(header.data(), 0, header.size()) != nullptr) {
    Fail("the header is not a JSON object");
  }
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header.begin(), header.end(), &reader)) Fail(reader.problem);
  metadata_ = std::move(reader.metadata);
  return std::move(reader.entries);
}

void FileImpl::Copy(const TensorView& tensor, size_t from, std::span<uint8_t> out) const {
  GRATICULE_CHECK(from <= tensor.bytes && out.size() <= tensor.bytes - from);
  if (out.empty()) return;
  const uint8_t* const begin = tensor.data + from;
  if (file_ == nullptr) {
    std::memcpy(out.data(), begin, out.size());
    return;
  }
  try {
    file_->ReadAt(static_cast<uint64_t>(begin - mapping_.bytes().data()), out.data(), out.size());
  } catch (const Error& error) {
    throw Error(code_, error.message(), error.where(), error.hint());
  }
}

void FileImpl::Place(std::vector<RawEntry> entries, std::span<const uint8_t> data) {
  std::sort(entries.begin(), entries.end(),
            [](const RawEntry& a, const RawEntry& b) { return a.offsets < b.offsets; });
  uint64_t end = 0;
  for (RawEntry& e : entries) {
    const std::string name = Printable(e.name);
    if (e.offsets[0] != end || e.offsets[1] < end) {
      Fail(fmt::format("tensor \"{}\" spans [{}, {}] but {} bytes are taken before it (hole or overlap)",
                       name, e.offsets[0], e.offsets[1], end));
    }
    end = e.offsets[1];
    const auto dtype = DTypeOf(e.dtype);
    if (!dtype) Fail(fmt::format("tensor \"{}\" has the unsupported dtype \"{}\"", name, Printable(e.dtype)));
    uint64_t size = SizeOf(*dtype);
    for (const int64_t extent : e.shape) {
      if (__builtin_mul_overflow(size, static_cast<uint64_t>(extent), &size)) {
        Fail(fmt::format("the size of tensor \"{}\" overflows", name));
      }
    }
    if (size != e.offsets[1] - e.offsets[0]) {
      Fail(fmt::format("tensor \"{}\" spans {} bytes, its shape and dtype need {}", name,
                       e.offsets[1] - e.offsets[0], size));
    }
    if (end > data.size()) {
      Fail(fmt::format("tensor \"{}\" ends at {} in {} data bytes", name, end, data.size()));
    }
    tensors_[e.name] = {*dtype, std::move(e.shape), data.data() + e.offsets[0], static_cast<size_t>(size)};
  }
  if (end != data.size()) Fail(fmt::format("{} bytes follow the last tensor", data.size() - end));
}

std::shared_ptr<const SafetensorsFile> OpenBy(void (FileImpl::*read)(const std::string&),
                                              const std::string& path, ErrorCode code) {
  auto file = std::make_shared<FileImpl>(path, code);
  try {
    ((*file).*read)(path);
  } catch (const Error& error) {
    if (error.code() == code) throw;
    throw Error(code, error.message(), error.where(), error.hint());
  }
  return file;
}

}  // namespace

size_t SizeOf(SafeDType dtype) { return kDTypes[RankOf(dtype)].size; }
std::string_view NameOf(SafeDType dtype) { return kDTypes[RankOf(dtype)].name; }

std::shared_ptr<const SafetensorsFile> SafetensorsFile::Open(const std::string& path, ErrorCode code) {
  return OpenBy(&FileImpl::Load, path, code);
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::Map(const std::string& path, ErrorCode code) {
  return OpenBy(&FileImpl::Map, path, code);
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::Parse(std::span<const uint8_t> bytes,
                                                              const std::string& name, ErrorCode code) {
  auto file = std::make_shared<FileImpl>(name, code);
  file->Read(bytes);
  return file;
}

void SafetensorsWriter::Add(const std::string& name, TensorView view) {
  size_t size = SizeOf(view.dtype);
  for (const int64_t extent : view.shape) size *= static_cast<size_t>(extent);
  GRATICULE_CHECK(size == view.bytes, name);
  GRATICULE_CHECK(name != "__metadata__" && tensors_.emplace(name, std::move(view)).second, name);
}

void SafetensorsWriter::SetMetadata(const std::string& key, const std::string& value) {
  metadata_[key] = value;
}

void SafetensorsWriter::Emit(const std::function<void(const void*, size_t)>& append) const {
  std::vector<std::pair<std::string, const TensorView*>> order;
  for (const auto& [name, view] : tensors_) order.emplace_back(name, &view);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return RankOf(a.second->dtype) < RankOf(b.second->dtype);
  });
  const auto quoted = [](const std::string& text) { return nlohmann::json(text).dump(); };
  std::map<std::string, std::string> metadata = metadata_;
  metadata["format"] = "pt";
  std::string header = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (header.back() != '{') header += ',';
    header += quoted(key) + ":" + quoted(value);
  }
  header += "}";
  uint64_t offset = 0;
  for (const auto& [name, view] : order) {
    header += fmt::format(",{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", quoted(name),
                          NameOf(view->dtype), fmt::join(view->shape, ","), offset, offset + view->bytes);
    offset += view->bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');

  uint8_t length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<uint8_t>(header.size() >> (8 * i));
  append(length, sizeof(length));
  append(header.data(), header.size());
  for (const auto& [name, view] : order) append(view->data, view->bytes);
}

std::string SafetensorsWriter::Serialise() const {
  std::string bytes;
  Emit([&](const void* data, size_t size) { bytes.append(static_cast<const char*>(data), size); });
  return bytes;
}

std::string SafetensorsWriter::Write(FileSystem& fs, const std::string& path) const {
  Sha256 hash;
  AtomicFile file(fs, path);
  Emit([&](const void* data, size_t size) {
    hash.Update(data, size);
    file.Append(data, size);
  });
  file.Commit();
  return hash.HexDigest();
}

}  // namespace graticule
