#include "base/stored_zip.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace graticule {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kDirectoryEntry = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr uint16_t kEncrypted = 1, kZip64Extra = 1;
constexpr uint16_t kFull16 = 0xffff;
constexpr uint32_t kFull32 = 0xffffffff;

struct Directory {
  uint64_t entries = 0, bytes = 0, offset = 0;
  uint64_t limit = 0;  // where the end records begin
};

class Reader {
 public:
  Reader(std::span<const uint8_t> zip, const std::string& file) : zip_(zip), file_(file) {}
  std::vector<StoredEntry> Read() const;

 private:
  [[noreturn]] void Fail(uint64_t at, const std::string& what) const {
    throw Error(ErrorCode::kData, "malformed zip: " + what, fmt::format("{}, byte {}", file_, at),
                "the file is damaged, or no zip of uncompressed entries");
  }
  void Need(uint64_t at, uint64_t bytes, const char* what) const {
    if (at > zip_.size() || bytes > zip_.size() - at)
      Fail(at, fmt::format("the {} of {} bytes does not fit into {}", what, bytes, zip_.size()));
  }
  // Little-endian; the caller has called Need.
  template <typename T>
  T Number(uint64_t at) const {
    uint64_t value = 0;
    for (size_t i = sizeof(T); i-- > 0;) value = value << 8 | zip_[at + i];
    return static_cast<T>(value);
  }
  std::string_view Text(uint64_t at, size_t bytes) const {
    return {reinterpret_cast<const char*>(zip_.data()) + at, bytes};
  }
  Directory FindDirectory() const;
  uint64_t Replaced(uint64_t& extra, uint64_t extra_end, uint32_t value) const;
  StoredEntry ReadEntry(uint64_t& at, const Directory& directory, uint64_t& header) const;

  std::span<const uint8_t> zip_;
  const std::string& file_;
};

Directory Reader::FindDirectory() const {
  if (zip_.size() < kEndBytes) Fail(0, fmt::format("{} bytes are too few for one", zip_.size()));
  const uint64_t end = zip_.size() - kEndBytes;
  if (Number<uint32_t>(end) != kEnd) Fail(end, "no end record in the last 22 bytes");
  const auto entries = Number<uint16_t>(end + 10);
  const auto bytes = Number<uint32_t>(end + 12), offset = Number<uint32_t>(end + 16);
  Directory found = {entries, bytes, offset, end};
  if (end >= kLocatorBytes && Number<uint32_t>(end - kLocatorBytes) == kEnd64Locator) {
    const uint64_t locator = end - kLocatorBytes, end64 = Number<uint64_t>(locator + 8);
    if (end64 > locator || locator - end64 < kEnd64Bytes || Number<uint32_t>(end64) != kEnd64)
      Fail(locator, fmt::format("no zip64 end record at byte {}, where its locator points", end64));
    found = {Number<uint64_t>(end64 + 32), Number<uint64_t>(end64 + 40), Number<uint64_t>(end64 + 48), end64};
    const auto agree = [](uint64_t large, uint64_t small, uint64_t full) {
      return small == full || large == small;
    };
    if (!agree(found.entries, entries, kFull16) || !agree(found.bytes, bytes, kFull32) ||
        !agree(found.offset, offset, kFull32))
      Fail(end, "the two end records disagree");
  }
  if (found.offset > found.limit || found.bytes > found.limit - found.offset)
    Fail(end, fmt::format("a directory of {} bytes at byte {} does not fit in front of byte {}", found.bytes,
                          found.offset, found.limit));
  if (found.entries > found.bytes / kEntryBytes)
    Fail(end, fmt::format("{} entries do not fit into a directory of {} bytes", found.entries, found.bytes));
  return found;
}

// The next 64-bit value of a zip64 field where `value` says to look there, else `value` itself.
uint64_t Reader::Replaced(uint64_t& extra, uint64_t extra_end, uint32_t value) const {
  if (value != kFull32) return value;
  if (extra_end - extra < 8) Fail(extra, "a size is missing from the zip64 field");
  extra += 8;
  return Number<uint64_t>(extra - 8);
}

// Reads the directory entry at `at`, moves on behind it and tells where its local header lies.
StoredEntry Reader::ReadEntry(uint64_t& at, const Directory& directory, uint64_t& header) const {
  const uint64_t start = at, end = directory.offset + directory.bytes;
  if (end - at < kEntryBytes || Number<uint32_t>(at) != kDirectoryEntry) Fail(at, "no directory entry here");
  const auto flags = Number<uint16_t>(at + 8), method = Number<uint16_t>(at + 10);
  const auto name_bytes = Number<uint16_t>(at + 28), extra_bytes = Number<uint16_t>(at + 30);
  const uint64_t all = kEntryBytes + name_bytes + extra_bytes + Number<uint16_t>(at + 32);
  if (end - at < all) Fail(at, fmt::format("an entry of {} bytes leaves its directory", all));
  at += all;
  StoredEntry entry;
  entry.name = Text(start + kEntryBytes, name_bytes);
  entry.crc32 = Number<uint32_t>(start + 16);
  const std::string name = Printable(entry.name);
  if (method != 0)
    Fail(start, fmt::format("entry \"{}\" is compressed (method {}), expected it stored", name, method));
  if (flags & kEncrypted) Fail(start, fmt::format("entry \"{}\" is encrypted", name));

  uint64_t field = start + kEntryBytes + name_bytes, field_end = field;
  for (uint64_t next = field; next - start + 4 <= kEntryBytes + name_bytes + extra_bytes;) {
    const uint64_t bytes = Number<uint16_t>(next + 2), limit = start + kEntryBytes + name_bytes + extra_bytes;
    if (bytes > limit - next - 4) Fail(next, fmt::format("an extra field leaves entry \"{}\"", name));
    if (Number<uint16_t>(next) == kZip64Extra) {
      field = next + 4;
      field_end = field + bytes;
      break;
    }
    next += 4 + bytes;
  }
  const uint64_t bytes = Replaced(field, field_end, Number<uint32_t>(start + 24));
  const uint64_t packed = Replaced(field, field_end, Number<uint32_t>(start + 20));
  header = Replaced(field, field_end, Number<uint32_t>(start + 42));
  if (bytes != packed)
    Fail(start, fmt::format("entry \"{}\" is stored in {} bytes but has {}", name, packed, bytes));

  Need(header, kLocalBytes, "local header");
  if (Number<uint32_t>(header) != kLocalHeader || Number<uint16_t>(header + 8) != 0)
    Fail(header, fmt::format("no local header of the stored entry \"{}\" here", name));
  const auto local_name = Number<uint16_t>(header + 26);
  entry.offset = header + kLocalBytes + local_name + Number<uint16_t>(header + 28);
  Need(header, entry.offset - header, "local header");
  if (Text(header + kLocalBytes, local_name) != entry.name)
    Fail(header, fmt::format("the local header of entry \"{}\" names another", name));
  if (entry.offset > directory.offset || bytes > directory.offset - entry.offset)
    Fail(start, fmt::format("entry \"{}\" of {} bytes at byte {} does not end before the directory at {}",
                            name, bytes, entry.offset, directory.offset));
  entry.bytes = zip_.subspan(entry.offset, bytes);
  return entry;
}

std::vector<StoredEntry> Reader::Read() const {
  const Directory directory = FindDirectory();
  struct Placed {
    StoredEntry entry;
    uint64_t header = 0;
  };
  std::vector<Placed> placed;
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    Placed one;
    one.entry = ReadEntry(at, directory, one.header);
    placed.push_back(one);
  }
  if (at != directory.offset + directory.bytes) Fail(at, "bytes follow the last directory entry");
  std::sort(placed.begin(), placed.end(),
            [](const Placed& a, const Placed& b) { return a.header < b.header; });
  uint64_t taken = 0;
  std::vector<StoredEntry> entries;
  std::vector<std::string_view> names;
  for (const auto& [entry, header] : placed) {
    if (header < taken) Fail(header, fmt::format("entry \"{}\" overlaps another", Printable(entry.name)));
    taken = entry.offset + entry.bytes.size();
    entries.push_back(entry);
    names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    Fail(directory.offset, fmt::format("entry \"{}\" comes twice", Printable(*twice)));
  return entries;
}

}  // namespace

std::vector<StoredEntry> ReadStoredZip(std::span<const uint8_t> zip, const std::string& file) {
  return Reader(zip, file).Read();
}

}  // namespace graticule
