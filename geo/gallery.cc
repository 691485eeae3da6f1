#include "geo/gallery.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>

#include "base/csv.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/memory_file.h"
#include "base/safetensors.h"
#include "base/text.h"
#include "geo/place_grid.h"
#include "geo/place_index.h"

namespace graticule {
namespace {

constexpr const char* kFileVersion = "1";
constexpr const char* kEmbeddings = "emb";
constexpr const char* kEmbeddingsOf = "emb_weights_sha256";
constexpr size_t kLinesShown = 5;
// A hundred times the largest gallery in use; a wrong path must not fill the memory.
constexpr uint64_t kMaxCsvBytes = uint64_t{1} << 30;

static_assert(std::endian::native == std::endian::little && sizeof(LatLon) == 2 * sizeof(double));

std::string MetadataOf(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

std::optional<uint64_t> ParseSeed(const std::string& text, const std::string& name) {
  if (text.empty()) return std::nullopt;
  uint64_t seed = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (status == std::errc() && end == text.data() + text.size()) return seed;
  throw Error(ErrorCode::kData, fmt::format("seed \"{}\"; expected a whole number", Printable(text)), name);
}

// A safetensors file opens with its header's length as 8 bytes, the high ones zero; no text has such bytes.
constexpr size_t kMarkBytes = 8;
bool IsSafetensors(std::string_view bytes) {
  return bytes.substr(0, kMarkBytes).find('\0') != std::string_view::npos;
}

Gallery FromSafetensors(const SafetensorsFile& file, const std::string& name) {
  const TensorView& latlon = file.at("latlon");
  if (latlon.dtype != SafeDType::kF64 || latlon.shape.size() != 2 || latlon.shape[1] != 2) {
    throw Error(ErrorCode::kData,
                fmt::format("tensor \"latlon\" is {} [{}]; expected F64 [M, 2]", NameOf(latlon.dtype),
                            fmt::join(latlon.shape, ", ")),
                name);
  }
  if (const std::string version = MetadataOf(file, "version"); version != kFileVersion) {
    throw Error(ErrorCode::kData,
                fmt::format("gallery file version \"{}\"; expected \"{}\"", Printable(version), kFileVersion),
                name, "Make it again with `gallery build` or `gallery import`.");
  }
  std::vector<LatLon> places(static_cast<size_t>(latlon.shape[0]));
  file.Copy(latlon, 0, {reinterpret_cast<uint8_t*>(places.data()), latlon.bytes});
  return Gallery(std::move(places),
                 {MetadataOf(file, "source_sha256"), MetadataOf(file, "split"),
                  ParseSeed(MetadataOf(file, "seed"), name)},
                 name);
}

Gallery FromCsv(std::string_view text, const std::string& name) {
  if (text.size() > kMaxCsvBytes) {
    throw Error(ErrorCode::kData,
                fmt::format("the file has {} bytes; expected at most {}", text.size(), kMaxCsvBytes), name);
  }
  const std::string sha256 = Sha256Hex(text);
  CsvReader reader(MemoryFile(std::string(text)), name);
  const size_t lat = reader.Require({"lat", "latitude"}), lon = reader.Require({"lon", "lng", "longitude"});
  std::vector<LatLon> places;
  std::vector<int64_t> bad_lines;
  std::string first_bad;
  CsvRow row;
  while (reader.Next(row)) {
    std::optional<double> lat_deg, lon_deg;
    if (row.complete) {
      lat_deg = ToDouble(row.fields[lat]);
      lon_deg = ToDouble(row.fields[lon]);
    }
    const LatLon place{lat_deg.value_or(std::numeric_limits<double>::quiet_NaN()), lon_deg.value_or(0)};
    if (lon_deg && IsValid(place)) {
      places.push_back(place);
      continue;
    }
    if (bad_lines.empty()) first_bad = fmt::format("{}", fmt::join(row.fields, ","));
    bad_lines.push_back(row.line);
  }
  if (bad_lines.empty()) return Gallery(std::move(places), {sha256, "", std::nullopt}, name);
  const size_t shown = std::min(kLinesShown, bad_lines.size());
  throw Error(
      ErrorCode::kData,
      fmt::format("{} of {} rows hold no place, in line{} {}{}; the first is \"{}\"; expected degrees "
                  "with |lat| <= 90 and |lon| <= 360",
                  bad_lines.size(), bad_lines.size() + places.size(), bad_lines.size() > 1 ? "s" : "",
                  fmt::join(bad_lines.begin(), bad_lines.begin() + static_cast<int64_t>(shown), ", "),
                  shown < bad_lines.size() ? ", ..." : "", Printable(first_bad)),
      fmt::format("{}:{}", name, bad_lines[0]), "Correct these rows or take them out.");
}

}  // namespace

Gallery::Gallery(std::vector<LatLon> places, GallerySource source, const std::string& where)
    : places_(std::move(places)), source_(std::move(source)) {
  if (places_.empty()) throw Error(ErrorCode::kData, "the gallery holds no places", where);
  const auto bad = std::find_if_not(places_.begin(), places_.end(), IsValid);
  if (bad != places_.end()) {
    throw Error(ErrorCode::kData,
                fmt::format("row {} is the place ({}, {}); expected |lat| <= 90 and |lon| <= 360",
                            bad - places_.begin(), bad->lat_deg, bad->lon_deg),
                where);
  }
  sha256_ = Sha256Hex({reinterpret_cast<const char*>(places_.data()), places_.size() * sizeof(LatLon)});
}

Gallery Gallery::Load(const std::string& path) {
  const auto file = PosixFs().Open(path);
  std::array<char, kMarkBytes> first;
  const size_t bytes = std::min<uint64_t>(file->size(), first.size());
  file->ReadAt(0, first.data(), bytes);
  // Embeddings, which make a file large, are not read here.
  if (IsSafetensors({first.data(), bytes})) return FromSafetensors(*SafetensorsFile::Map(path), path);
  return FromCsv(ReadFileToString(path, kMaxCsvBytes), path);
}

Gallery Gallery::Parse(std::string_view bytes, const std::string& name) {
  if (!IsSafetensors(bytes)) return FromCsv(bytes, name);
  return FromSafetensors(
      *SafetensorsFile::Parse({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, name), name);
}

std::optional<GalleryEmbeddings> Gallery::LoadEmbeddings(const std::string& path,
                                                         const std::string& weights_sha256,
                                                         int64_t width) const {
  const auto file = SafetensorsFile::Map(path);
  const auto found = file->tensors().find(kEmbeddings);
  if (found == file->tensors().end() || MetadataOf(*file, kEmbeddingsOf) != weights_sha256)
    return std::nullopt;
  const TensorView& rows = found->second;
  if (rows.dtype != SafeDType::kF32 || rows.shape != std::vector<int64_t>{size(), width}) {
    throw Error(ErrorCode::kData,
                fmt::format("tensor \"{}\" is {} [{}]; expected F32 [{}, {}]", kEmbeddings,
                            NameOf(rows.dtype), fmt::join(rows.shape, ", "), size(), width),
                path, "Export the model again, or leave the tensor out.");
  }
  GalleryEmbeddings embeddings{weights_sha256, width, std::vector<float>(rows.bytes / sizeof(float))};
  file->Copy(rows, 0, {reinterpret_cast<uint8_t*>(embeddings.rows_MD.data()), rows.bytes});
  return embeddings;
}

void Gallery::Save(const std::string& path, const GalleryEmbeddings* embeddings) const {
  SafetensorsWriter writer;
  writer.Add("latlon", {SafeDType::kF64,
                        {size(), 2},
                        reinterpret_cast<const uint8_t*>(places_.data()),
                        places_.size() * sizeof(LatLon)});
  writer.SetMetadata("source_sha256", source_.sha256);
  writer.SetMetadata("split", source_.split);
  writer.SetMetadata("seed", source_.seed ? fmt::format("{}", *source_.seed) : "");
  writer.SetMetadata("version", kFileVersion);
  if (embeddings != nullptr) {
    GRATICULE_CHECK(std::ssize(embeddings->rows_MD) == size() * embeddings->width);
    writer.Add(kEmbeddings, {SafeDType::kF32,
                             {size(), embeddings->width},
                             reinterpret_cast<const uint8_t*>(embeddings->rows_MD.data()),
                             embeddings->rows_MD.size() * sizeof(float)});
    writer.SetMetadata(kEmbeddingsOf, embeddings->weights_sha256);
  }
  writer.Write(PosixFs(), path);
}

void Gallery::ExportCsv(const std::string& path) const {
  std::string text = "LAT,LON\n";
  for (const LatLon p : places_) fmt::format_to(std::back_inserter(text), "{},{}\n", p.lat_deg, p.lon_deg);
  WriteFileAtomically(PosixFs(), path, text);
}

Gallery MergeDuplicates(const Gallery& gallery) {
  const PlaceMerge merge = MergePlaces(gallery.places());
  std::vector<LatLon> places;
  places.reserve(merge.kept.size());
  for (const int64_t row : merge.kept) places.push_back(gallery.places()[row]);
  return Gallery(std::move(places), gallery.source());
}

Ceiling GalleryCeiling(const Gallery& gallery, std::span<const LatLon> test_places,
                       std::span<const double> threshold_km) {
  const PlaceIndex index(gallery.places());
  Ceiling ceiling;
  ceiling.places = std::ssize(test_places);
  ceiling.gap_km.reserve(test_places.size());
  for (const LatLon p : test_places) {
    const int64_t nearest = index.Nearest(p);
    GRATICULE_CHECK(nearest >= 0, "a test place that is no place");
    ceiling.gap_km.push_back(HaversineKm(p, gallery.places()[nearest]));
  }
  std::vector<double> sorted = ceiling.gap_km;
  std::sort(sorted.begin(), sorted.end());
  for (const double km : threshold_km) {
    const auto nearer = std::lower_bound(sorted.begin(), sorted.end(), km) - sorted.begin();
    ceiling.within.push_back(static_cast<double>(nearer) / static_cast<double>(sorted.size()));
  }
  const size_t half = sorted.size() / 2;
  ceiling.median_km = sorted.empty()           ? std::numeric_limits<double>::quiet_NaN()
                      : sorted.size() % 2 == 1 ? sorted[half]
                                               : (sorted[half - 1] + sorted[half]) / 2;
  return ceiling;
}

}  // namespace graticule
