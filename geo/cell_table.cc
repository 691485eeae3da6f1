#include "geo/cell_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/safetensors.h"
#include "geo/cell_columns.h"

namespace graticule {
namespace {

constexpr const char* kFileVersion = "1";

template <typename T>
TensorView ViewOf(SafeDType dtype, std::vector<int64_t> shape, const std::vector<T>& values) {
  return {dtype, std::move(shape), reinterpret_cast<const uint8_t*>(values.data()),
          values.size() * sizeof(T)};
}

std::string Serialise(const CellColumns& c) {
  static_assert(sizeof(LatLon) == 16 && sizeof(Box) == 32);
  const int64_t rows = static_cast<int64_t>(c.centres.size());
  SafetensorsWriter writer;
  writer.Add("centre_latlon", ViewOf(SafeDType::kF64, {rows, 2}, c.centres));
  writer.Add("count", ViewOf(SafeDType::kI64, {rows}, c.counts));
  writer.Add("parent", ViewOf(SafeDType::kI64, {rows}, c.parents));
  if (!c.s2_ids.empty()) writer.Add("s2_id", ViewOf(SafeDType::kU64, {rows}, c.s2_ids));
  if (!c.ring_ends.empty()) {
    const int64_t rings = std::ssize(c.ring_ends);
    writer.Add("ring_latlon", ViewOf(SafeDType::kF64, {std::ssize(c.ring_points), 2}, c.ring_points));
    writer.Add("ring_end", ViewOf(SafeDType::kI64, {rings}, c.ring_ends));
    writer.Add("ring_cell", ViewOf(SafeDType::kI64, {rings}, c.ring_cells));
  }
  if (!c.boxes.empty()) writer.Add("box", ViewOf(SafeDType::kF64, {rows, 4}, c.boxes));
  writer.SetMetadata("kind", c.kind);
  writer.SetMetadata("options", c.options);
  writer.SetMetadata("training_data_sha256", c.training_data_sha256);
  writer.SetMetadata("version", kFileVersion);
  return writer.Serialise();
}

template <typename T>
std::vector<T> ReadColumn(const SafetensorsFile& file, const std::string& path, const std::string& name,
                          SafeDType dtype, std::vector<int64_t> shape) {
  const TensorView& view = file.at(name);
  if (view.dtype != dtype || view.shape != shape) {
    throw Error(ErrorCode::kData,
                fmt::format("tensor \"{}\" is {} [{}]; expected {} [{}]", name, NameOf(view.dtype),
                            fmt::join(view.shape, ", "), NameOf(dtype), fmt::join(shape, ", ")),
                path, "This is not a geocell file of this version; build it again with `cells build`.");
  }
  std::vector<T> values(view.bytes / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), view.data, view.bytes);
  return values;
}

std::string MetadataOf(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

void CheckRows(const CellColumns& c) {
  const int64_t rows = static_cast<int64_t>(c.centres.size());
  if (rows == 0) throw Error(ErrorCode::kData, "the file holds no cells", c.where);
  for (int64_t i = 0; i < rows; ++i) {
    if (!IsValid(c.centres[i])) {
      throw Error(ErrorCode::kData,
                  fmt::format("cell {} has the centre ({}, {}); expected degrees", i, c.centres[i].lat_deg,
                              c.centres[i].lon_deg),
                  c.where);
    }
    if (c.counts[i] < 0 || c.parents[i] < -1) {
      throw Error(ErrorCode::kData,
                  fmt::format("cell {} has count {} and parent {}; expected count >= 0 and parent >= -1", i,
                              c.counts[i], c.parents[i]),
                  c.where);
    }
  }
}

}  // namespace

BasicCellTable::BasicCellTable(CellColumns columns) : columns_(std::move(columns)), index_(columns_.centres) {
  if (columns_.file_bytes.empty()) columns_.file_bytes = Serialise(columns_);
  sha256_ = Sha256Hex(columns_.file_bytes);
}

void BasicCellTable::Save(const std::string& path) const {
  WriteFileAtomically(PosixFs(), path, columns_.file_bytes);
}

std::shared_ptr<const CellTable> CellTable::Load(const std::string& path) {
  return Parse(ReadFileToString(path), path);
}

std::shared_ptr<const CellTable> CellTable::Parse(std::string bytes, const std::string& path) {
  CellColumns c;
  c.where = path;
  c.file_bytes = std::move(bytes);
  const auto file = SafetensorsFile::Parse(
      {reinterpret_cast<const uint8_t*>(c.file_bytes.data()), c.file_bytes.size()}, path);
  if (const std::string version = MetadataOf(*file, "version"); version != kFileVersion) {
    throw Error(ErrorCode::kData,
                fmt::format("geocell file version \"{}\"; expected \"{}\"", version, kFileVersion), path,
                "Build it again with `cells build`, or use the program that wrote it.");
  }
  c.kind = MetadataOf(*file, "kind");
  c.options = MetadataOf(*file, "options");
  c.training_data_sha256 = MetadataOf(*file, "training_data_sha256");
  const auto first_size = [&](const char* name) {
    const std::vector<int64_t>& shape = file->at(name).shape;
    return shape.empty() ? 0 : shape[0];
  };
  const int64_t rows = first_size("centre_latlon");
  c.centres = ReadColumn<LatLon>(*file, path, "centre_latlon", SafeDType::kF64, {rows, 2});
  c.counts = ReadColumn<int64_t>(*file, path, "count", SafeDType::kI64, {rows});
  c.parents = ReadColumn<int64_t>(*file, path, "parent", SafeDType::kI64, {rows});
  CheckRows(c);
  if (c.kind == "s2") {
    c.s2_ids = ReadColumn<uint64_t>(*file, path, "s2_id", SafeDType::kU64, {rows});
    return MakeS2Table(std::move(c));
  }
  if (c.kind == "quadtree") {
    c.boxes = ReadColumn<Box>(*file, path, "box", SafeDType::kF64, {rows, 4});
    return MakeQuadtreeTable(std::move(c));
  }
  if (c.kind == "polygon") {
    const int64_t rings = first_size("ring_end");
    c.ring_points =
        ReadColumn<LatLon>(*file, path, "ring_latlon", SafeDType::kF64, {first_size("ring_latlon"), 2});
    c.ring_ends = ReadColumn<int64_t>(*file, path, "ring_end", SafeDType::kI64, {rings});
    c.ring_cells = ReadColumn<int64_t>(*file, path, "ring_cell", SafeDType::kI64, {rings});
    return MakePolygonTable(std::move(c));
  }
  throw Error(ErrorCode::kData,
              fmt::format("geocells of kind \"{}\"; expected s2, quadtree or polygon", c.kind), path);
}

LatLon MeanPlace(std::span<const LatLon> members) {
  std::vector<LatLon> sorted(members.begin(), members.end());
  std::sort(sorted.begin(), sorted.end(), [](LatLon a, LatLon b) {
    return a.lat_deg != b.lat_deg ? a.lat_deg < b.lat_deg : a.lon_deg < b.lon_deg;
  });
  UnitVector sum;
  for (LatLon p : sorted) {
    const UnitVector v = ToUnitVector(p);
    sum.x += v.x;
    sum.y += v.y;
    sum.z += v.z;
  }
  return ToLatLon(sum);
}

std::vector<LatLon> UsablePlaces(std::span<const LatLon> points) {
  std::vector<LatLon> places;
  places.reserve(points.size());
  for (LatLon p : points) {
    if (IsValid(p)) places.push_back(Normalised(p));
  }
  return places;
}

}  // namespace graticule
