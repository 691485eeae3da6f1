#include "data/loader/neighbour_lists.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace graticule {
namespace {

constexpr const char* kFileVersion = "1";
constexpr const char* kRemake = "Make the lists again from this dataset.";

static_assert(std::endian::native == std::endian::little, "files are little-endian");

[[noreturn]] void Refuse(std::string what, const std::string& where) {
  throw Error(ErrorCode::kData, std::move(what), where, kRemake);
}

std::string_view BytesOf(std::span<const uint32_t> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

// Whoever follows a list reads and writes by its entries.
void CheckEntries(const NeighbourTable& table, const std::string& where) {
  const int64_t n = table.size();
  for (int64_t record = 0; record < n; ++record) {
    const std::span<const uint32_t> list =
        table.records_NK.subspan(static_cast<size_t>(record * table.per_record), table.per_record);
    const size_t known = table.Of(record).size();
    for (size_t i = 0; i < list.size(); ++i) {
      if (i >= known ? list[i] == kNoNeighbour : list[i] < n && list[i] != record) continue;
      Refuse(fmt::format("entry {} of record {} is {}; expected another record below {}, or {} at the end", i,
                         record, list[i], n, kNoNeighbour),
             where);
    }
  }
}

std::string MetadataOf(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

void ExpectMetadata(const SafetensorsFile& file, const std::string& key, const std::string& expected,
                    const std::string& what, const std::string& where) {
  const std::string found = MetadataOf(file, key);
  if (found != expected)
    Refuse(fmt::format("{} \"{}\"; expected \"{}\"", what, Printable(found), expected), where);
}

}  // namespace

std::span<const uint32_t> NeighbourTable::Of(int64_t record) const {
  const auto list = records_NK.subspan(static_cast<size_t>(record * per_record), per_record);
  return list.first(std::find(list.begin(), list.end(), kNoNeighbour) - list.begin());
}

std::shared_ptr<const NeighbourLists> NeighbourLists::Open(const std::string& path,
                                                           const std::string& data_sha256, int64_t records) {
  auto lists = std::make_shared<NeighbourLists>();
  lists->file_ = SafetensorsFile::Open(path);
  const SafetensorsFile& file = *lists->file_;
  const TensorView& tensor = file.at("neighbour");
  if (tensor.dtype != SafeDType::kU32 || tensor.shape.size() != 2 || tensor.shape[0] != records ||
      tensor.shape[1] < 1) {
    Refuse(fmt::format("tensor \"neighbour\" is {} [{}]; expected U32 [{}, K]", NameOf(tensor.dtype),
                       fmt::join(tensor.shape, ", "), records),
           path);
  }
  ExpectMetadata(file, "version", kFileVersion, "version of neighbour lists", path);
  ExpectMetadata(file, "data_sha256", data_sha256, "neighbour lists of the data", path);
  lists->table_ = {{reinterpret_cast<const uint32_t*>(tensor.data), tensor.bytes / sizeof(uint32_t)},
                   tensor.shape[1]};
  lists->sha256_ = Sha256Hex(BytesOf(lists->table_.records_NK));
  ExpectMetadata(file, "sha256", lists->sha256_, "the lists are damaged: SHA-256", path);
  CheckEntries(lists->table_, path);
  lists->method_ = MetadataOf(file, "method");
  return lists;
}

std::string WriteNeighbourLists(FileSystem& fs, const std::string& path, const NeighbourTable& table,
                                const NeighbourSource& source) {
  GRATICULE_CHECK(table.per_record >= 1 && table.size() >= 1 &&
                  table.size() * table.per_record == std::ssize(table.records_NK));
  CheckEntries(table, path);
  const std::string sha256 = Sha256Hex(BytesOf(table.records_NK));
  SafetensorsWriter writer;
  writer.Add("neighbour", {SafeDType::kU32,
                           {table.size(), table.per_record},
                           reinterpret_cast<const uint8_t*>(table.records_NK.data()),
                           table.records_NK.size_bytes()});
  writer.SetMetadata("version", kFileVersion);
  writer.SetMetadata("data_sha256", source.data_sha256);
  writer.SetMetadata("method", source.method);
  writer.SetMetadata("sha256", sha256);
  writer.Write(fs, path);
  return sha256;
}

}  // namespace graticule
