#include "data/shard/record_index.h"

#include <fmt/format.h>

namespace graticule {
namespace {

template <typename T>
constexpr SafeDType kDType = SafeDType::kU8;
template <>
constexpr SafeDType kDType<uint16_t> = SafeDType::kU16;
template <>
constexpr SafeDType kDType<uint32_t> = SafeDType::kU32;
template <>
constexpr SafeDType kDType<uint64_t> = SafeDType::kU64;
template <>
constexpr SafeDType kDType<float> = SafeDType::kF32;
template <>
constexpr SafeDType kDType<double> = SafeDType::kF64;

constexpr Col kAuxCols[kAuxColumnCount] = {Col::kElevM,  Col::kPopdenKm2, Col::kTavgC,
                                           Col::kTdiffC, Col::kPrecMm,    Col::kPrecdiffMm};

template <typename T>
std::span<const T> Get(const SafetensorsFile& file, const std::string& path, const char* name, int64_t n,
                       int64_t width) {
  const TensorView& view = file.at(name);
  const std::vector<int64_t> shape = width == 1 ? std::vector<int64_t>{n} : std::vector<int64_t>{n, width};
  if (view.dtype != kDType<T> || view.shape != shape) {
    throw Error(ErrorCode::kData,
                fmt::format("tensor \"{}\" does not have the type and shape of {} records", name, n), path,
                "Import the dataset again.");
  }
  return {reinterpret_cast<const T*>(view.data), static_cast<size_t>(n * width)};
}

void CheckExtents(const RecordIndex& index, const Manifest& manifest, const std::string& path) {
  int64_t record = 0;
  for (size_t s = 0; s < manifest.shards.size(); ++s) {
    const ShardEntry& shard = manifest.shards[s];
    for (int64_t i = 0; i < shard.n; ++i, ++record) {
      if (index.shard[record] != s || index.off[record] > shard.img_bytes ||
          index.len[record] > shard.img_bytes - index.off[record]) {
        throw Error(ErrorCode::kData,
                    fmt::format("record {} points outside its shard {}", record, shard.file), path,
                    "Import the dataset again.");
      }
    }
  }
}

}  // namespace

RecordIndex RecordIndex::Open(const std::string& folder, const Manifest& manifest) {
  CheckHash(folder, manifest.index);
  const std::string path = JoinPath(folder, manifest.index.file);
  RecordIndex index;
  index.file_ = SafetensorsFile::Open(path);
  const int64_t n = index.size = manifest.n_records;
  const SafetensorsFile& file = *index.file_;
  index.shard = Get<uint16_t>(file, path, "shard", n, 1);
  index.off = Get<uint64_t>(file, path, "off", n, 1);
  index.len = Get<uint32_t>(file, path, "len", n, 1);
  index.crc32c = Get<uint32_t>(file, path, "crc32c", n, 1);
  index.width = Get<uint16_t>(file, path, "width", n, 1);
  index.height = Get<uint16_t>(file, path, "height", n, 1);
  index.flags = Get<uint8_t>(file, path, "flags", n, 1);
  index.lat = Get<double>(file, path, "lat", n, 1);
  index.lon = Get<double>(file, path, "lon", n, 1);
  index.climate = Get<uint8_t>(file, path, "climate", n, 1);
  index.month = Get<uint8_t>(file, path, "month", n, 1);
  index.drive_left = Get<uint8_t>(file, path, "drive_left", n, 1);
  index.country_iso = Get<uint16_t>(file, path, "country_iso", n, 1);
  index.aux = Get<float>(file, path, "aux", n, kAuxColumnCount);
  CheckExtents(index, manifest, path);
  return index;
}

void RecordIndexWriter::Append(uint16_t shard, const ImageSlot& slot, const ImageFacts& facts,
                               const RecordRow& row) {
  shard_.push_back(shard);
  off_.push_back(slot.off);
  len_.push_back(slot.len);
  crc32c_.push_back(slot.crc32c);
  width_.push_back(facts.width);
  height_.push_back(facts.height);
  flags_.push_back(facts.flags);
  lat_.push_back(row.Float(Col::kLat));
  lon_.push_back(row.Float(Col::kLon));
  climate_.push_back(static_cast<uint8_t>(row.Int(Col::kClimate)));
  month_.push_back(static_cast<uint8_t>(row.Int(Col::kMonth)));
  drive_left_.push_back(static_cast<uint8_t>(row.Int(Col::kDriveLeft)));
  country_iso_.push_back(static_cast<uint16_t>(row.Int(Col::kCountryIso)));
  for (const Col col : kAuxCols) aux_.push_back(static_cast<float>(row.Float(col)));
}

HashedFile RecordIndexWriter::Write(FileSystem& fs, const std::string& folder) const {
  SafetensorsWriter writer;
  const auto add = [&]<typename T>(const char* name, const std::vector<T>& values, int64_t width = 1) {
    TensorView view{.dtype = kDType<T>,
                    .shape = {size()},
                    .data = reinterpret_cast<const uint8_t*>(values.data()),
                    .bytes = values.size() * sizeof(T)};
    if (width > 1) view.shape.push_back(width);
    writer.Add(name, view);
  };
  add("shard", shard_);
  add("off", off_);
  add("len", len_);
  add("crc32c", crc32c_);
  add("width", width_);
  add("height", height_);
  add("flags", flags_);
  add("lat", lat_);
  add("lon", lon_);
  add("climate", climate_);
  add("month", month_);
  add("drive_left", drive_left_);
  add("country_iso", country_iso_);
  add("aux", aux_, kAuxColumnCount);
  HashedFile entry;
  entry.file = kIndexName;
  const std::string path = JoinPath(folder, kIndexName);
  entry.sha256 = writer.Write(fs, path);
  entry.size = fs.FileSize(path);
  return entry;
}

}  // namespace graticule
