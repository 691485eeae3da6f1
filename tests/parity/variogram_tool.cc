// Writes a dataset and an embedding store out of plain arrays, for the test of `graticule variogram` and its
// bench.
//
// usage: variogram_tool DIR RECORDS PER_SHARD DIM
// Reads DIR/{lat,lon}.f64, {sequence,author}.u64, {climate,landcover,split,valid}.u8, elev.f32, rows.f16
// [RECORDS, DIM]; writes DIR/data and DIR/emb. split: 0 train, 1 val. valid 0: no embedding.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/fs.h"
#include "data/dataset.h"
#include "data/embedding/embedding_part.h"
#include "data/shard/dataset_writer.h"
#include "data/split/split_sidecar.h"

using namespace graticule;  // NOLINT: a test program of one file

namespace {

template <typename T>
std::vector<T> ReadArray(const std::string& path, int64_t n) {
  std::vector<T> values(static_cast<size_t>(n));
  const auto file = PosixFs().Open(path);
  file->ReadAt(0, reinterpret_cast<uint8_t*>(values.data()), values.size() * sizeof(T));
  return values;
}

void WriteData(const std::string& dir, int64_t n, int64_t per_shard) {
  const auto lat = ReadArray<double>(dir + "/lat.f64", n), lon = ReadArray<double>(dir + "/lon.f64", n);
  const auto sequence = ReadArray<uint64_t>(dir + "/sequence.u64", n),
             author = ReadArray<uint64_t>(dir + "/author.u64", n);
  const auto climate = ReadArray<uint8_t>(dir + "/climate.u8", n),
             landcover = ReadArray<uint8_t>(dir + "/landcover.u8", n),
             split = ReadArray<uint8_t>(dir + "/split.u8", n);
  const auto elev = ReadArray<float>(dir + "/elev.f32", n);
  const Dictionaries dictionaries;
  DatasetWriter writer(PosixFs(), dir + "/data", {.dataset = "arrays", .records_per_shard = per_shard},
                       dictionaries);
  for (int64_t i = 0; i < n; ++i) {
    const auto k = static_cast<size_t>(i);
    RecordRow row;
    row.SetFloat(Col::kLat, lat[k]);
    row.SetFloat(Col::kLon, lon[k]);
    row.SetInt(Col::kSeqHash, static_cast<int64_t>(sequence[k]));
    row.SetInt(Col::kAuthorHash, static_cast<int64_t>(author[k]));
    row.SetInt(Col::kClimate, climate[k]);
    row.SetInt(Col::kLandcover, landcover[k]);
    row.SetFloat(Col::kElevM, elev[k]);
    const std::vector<uint8_t> image = {1, 2, 3};
    writer.Append("r" + std::to_string(i), image, {8, 8, 0}, row);
  }
  writer.Finish();
  WriteSplit(PosixFs(), dir + "/data", ReadManifest(dir + "/data"),
             {{"train", "val"}, split, {{"method", "as given"}}});
}

void WriteStore(const std::string& dir, int64_t n, int64_t dim) {
  const auto valid = ReadArray<uint8_t>(dir + "/valid.u8", n);
  const auto dataset = Dataset::Open({dir + "/data"});
  const DatasetFolder folder = dataset->folders().front();
  EmbeddingPlan plan;
  plan.tower_sha256 = std::string(64, 'a');
  plan.output = "image_embeds";
  plan.dataset = folder.name;
  plan.records_sha256 = folder.records_sha256;
  plan.dim = dim;
  plan.shard_rows = folder.shard_rows;
  PosixFs().MakeDirs(dir + "/emb");
  const auto file = PosixFs().Open(dir + "/rows.f16");
  EmbeddingManifest manifest{.plan = plan, .parts = {}};
  std::vector<uint8_t> values(plan.view_bytes());
  size_t at = 0;
  for (size_t shard = 0; shard < plan.shard_rows.size(); ++shard) {
    EmbeddingPartWriter writer(plan, static_cast<int64_t>(shard));
    for (int64_t row = 0; row < plan.shard_rows[shard]; ++row, ++at) {
      file->ReadAt(at * values.size(), values.data(), values.size());
      if (valid[at] != 0) writer.Store(row, values.data());
    }
    manifest.parts.push_back(writer.Write(PosixFs(), dir + "/emb"));
  }
  WriteEmbeddingManifest(PosixFs(), dir + "/emb", manifest);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    WriteData(argv[1], std::stoll(argv[2]), std::stoll(argv[3]));
    WriteStore(argv[1], std::stoll(argv[2]), std::stoll(argv[4]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
  }
}
