// The set of places that a retrieval model answers from, and how well it could do at best.
//
// File: gallery.safetensors with `latlon` f64 [M, 2] in degrees and the metadata `source_sha256` (of the data
// set, or of the CSV file, it was made from), `split`, `seed` and `version` ("1"); optionally `emb` f32 [M,
// D] with `emb_weights_sha256`. Other tensors are left alone. The exchange form is a CSV with the header
// LAT,LON. Load tells the two apart by their bytes. A row is an answer: order and repeats are kept,
// longitudes too (|lon| <= 360). Results name a gallery by the SHA-256 of its latlon bytes (little-endian),
// which a CSV of the same places shares.
//
// Immutable; thread-safe. Files that are no galleries throw Error(kData); bad rows of a CSV are one error
// that names their lines. Source of the CSV form and of the ceiling: Vivanco Cepeda et al., "GeoCLIP"
// (NeurIPS 2023).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "geo/latlon.h"

namespace graticule {

struct GallerySource {
  std::string sha256;            // of the data set or the CSV file
  std::string split;             // that the places were drawn from; empty: all records, or not known
  std::optional<uint64_t> seed;  // of the draw; none: not drawn
  bool operator==(const GallerySource&) const = default;
};

// What a location tower makes of each row, so that who answers from the gallery needs no such tower.
struct GalleryEmbeddings {
  std::string weights_sha256;  // of that tower: those of other weights are of no use
  int64_t width = 0;           // D
  std::vector<float> rows_MD;  // unit rows
};

class Gallery {
 public:
  // where: for messages. Throws Error(kData) when there is no place or one is invalid.
  Gallery(std::vector<LatLon> places, GallerySource source, const std::string& where = "gallery");
  static Gallery Load(const std::string& path);
  static Gallery Parse(std::string_view bytes, const std::string& name);

  // Both replace the file at once or not at all.
  void Save(const std::string& path, const GalleryEmbeddings* embeddings = nullptr) const;
  void ExportCsv(const std::string& path) const;  // doubles in the fewest digits that give them back

  int64_t size() const { return std::ssize(places_); }
  const std::vector<LatLon>& places() const { return places_; }
  const GallerySource& source() const { return source_; }
  const std::string& Sha256() const { return sha256_; }  // of the latlon bytes
  // Those that the gallery's file holds; none if it holds none, or of other weights. Error(kData) if they are
  // not a row of this width for each place.
  std::optional<GalleryEmbeddings> LoadEmbeddings(const std::string& path, const std::string& weights_sha256,
                                                  int64_t width) const;

 private:
  std::vector<LatLon> places_;
  GallerySource source_;
  std::string sha256_;
};

// A gallery without repeats (geo/place_grid.h): the first of its equals stays.
Gallery MergeDuplicates(const Gallery& gallery);

// What a model that always picks the nearest place would reach.
struct Ceiling {
  int64_t places = 0;          // test places: the denominator
  std::vector<double> within;  // [thresholds] share with a gallery place strictly nearer
  double median_km = 0;        // of the gaps; of an even number, the mean of the middle two
  std::vector<double> gap_km;  // [test places] to the nearest gallery place
};
// Distances with R = 6371.0 km; NaN for shares and median of no test places, which must be valid.
Ceiling GalleryCeiling(const Gallery& gallery, std::span<const LatLon> test_places,
                       std::span<const double> threshold_km);

}  // namespace graticule
