// Random rows of an embedding store per second and core, page cache warm: EmbeddingStore::ReadChecked, and
// the whole loader (order, labels, copy into the batch) on top of it.
//
//   embedding_rows FOLDER [records] [dim] [seconds]
//
// Writes a dataset without images and a store of pseudo-random fp16 rows into FOLDER unless it holds them,
// then prints one JSON object. bench/embedding_rows.py adds what people use from Python and prints the table.
#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fs.h"
#include "base/rng.h"
#include "data/embedding/embedding_store.h"
#include "data/loader/loader.h"
#include "data/shard/dataset_writer.h"

namespace graticule {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void WriteInput(const std::string& folder, int64_t records, int64_t dim) {
  const Dictionaries none;
  DatasetWriter writer(PosixFs(), folder + "/data", {.dataset = "bench", .records_per_shard = 20'000}, none);
  for (int64_t i = 0; i < records; ++i) {
    RecordRow row;
    row.SetFloat(Col::kLat, static_cast<double>(i % 170) - 85);
    row.SetFloat(Col::kLon, 0);
    writer.Append(std::to_string(i), {}, {}, row);
  }
  writer.Finish();
  const auto dataset = Dataset::Open({folder + "/data"}, {.without_images = true});
  EmbeddingPlan plan;
  plan.tower_sha256 = std::string(64, '0');
  plan.output = "image_embeds";
  plan.records_sha256 = dataset->folders()[0].records_sha256;
  plan.dim = dim;
  plan.shard_rows = dataset->folders()[0].shard_rows;
  EmbeddingManifest manifest{.plan = plan, .parts = {}};
  PosixFs().MakeDirs(folder + "/emb");
  std::mt19937_64 random(1);
  std::vector<uint16_t> values(static_cast<size_t>(dim));
  for (size_t shard = 0; shard < plan.shard_rows.size(); ++shard) {
    EmbeddingPartWriter part(plan, static_cast<int64_t>(shard));
    for (int64_t row = 0; row < plan.shard_rows[shard]; ++row) {
      for (uint16_t& value : values) value = static_cast<uint16_t>(random()) & 0xBFFF;
      part.Store(row, reinterpret_cast<const uint8_t*>(values.data()));
    }
    manifest.parts.push_back(part.Write(PosixFs(), folder + "/emb"));
  }
  WriteEmbeddingManifest(PosixFs(), folder + "/emb", manifest);
  std::vector<uint16_t> whole(static_cast<size_t>(records * dim));
  for (uint16_t& value : whole) value = static_cast<uint16_t>(random()) & 0xBFFF;
  SafetensorsWriter writer_of_whole;
  writer_of_whole.Add("rows", {SafeDType::kF16,
                               {records, dim},
                               reinterpret_cast<const uint8_t*>(whole.data()),
                               whole.size() * sizeof whole[0]});
  writer_of_whole.Write(PosixFs(), folder + "/whole.safetensors");
}

double StoreRate(const EmbeddingStore& store, double seconds) {
  const auto n = static_cast<uint64_t>(store.dataset().size());
  constexpr size_t kBatch = 256;
  const size_t bytes = store.plan().view_bytes();
  std::vector<uint8_t> batch(kBatch * bytes);
  for (uint64_t record = 0; record < n; ++record)  // every page has been checked once
    store.Read(static_cast<int64_t>(record), 0, 1, batch.data());
  Rng rng(7, {});
  std::vector<int64_t> order(1 << 16);
  for (int64_t& record : order) record = static_cast<int64_t>(rng.Below(n));
  const std::vector<int64_t> firsts(kBatch);
  std::vector<uint8_t> read(kBatch);
  int64_t rows = 0;
  const Clock::time_point start = Clock::now();
  while (Since(start) < seconds) {
    for (size_t i = 0; i < order.size(); i += kBatch)
      store.ReadChecked({order.data() + i, kBatch}, firsts, 1, batch.data(), read);
    rows += static_cast<int64_t>(order.size());
  }
  return static_cast<double>(rows) / Since(start);
}

// For comparison: rows of as large a mapped file copied by memcpy, each asked for four before, with nothing
// else to do.
double CopyRate(const std::string& folder, size_t row_bytes, double seconds) {
  const auto file = SafetensorsFile::Map(folder + "/whole.safetensors");
  const TensorView& rows = file->at("rows");
  const size_t n = rows.bytes / row_bytes;
  constexpr size_t kBatch = 256;
  std::vector<uint8_t> batch(kBatch * row_bytes);
  uint64_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += rows.data[i * row_bytes];  // maps every page
  Rng rng(7, {});
  std::vector<size_t> order(1 << 16);
  for (size_t& row : order) row = rng.Below(n) * row_bytes;
  int64_t done = 0;
  const Clock::time_point start = Clock::now();
  while (Since(start) < seconds) {
    for (size_t i = 0; i < order.size(); ++i) {
      __builtin_prefetch(rows.data + order[(i + 4) % order.size()]);
      std::memcpy(batch.data() + static_cast<size_t>(done++) % kBatch * row_bytes, rows.data + order[i],
                  row_bytes);
    }
  }
  return sum == 0 ? 0 : static_cast<double>(done) / Since(start);
}

double LoaderRate(std::shared_ptr<const EmbeddingStore> store, std::shared_ptr<const Dataset> dataset,
                  double seconds) {
  LoaderOptions options;
  options.global_batch = 1024;
  options.threads = 1;
  options.embeddings = std::move(store);
  const auto loader = Loader::Create(std::move(dataset), options);
  loader->Next();
  int64_t rows = 0;
  const Clock::time_point start = Clock::now();
  while (Since(start) < seconds) rows += loader->Next()->size;
  return static_cast<double>(rows) / Since(start);
}

int Main(int argc, char** argv) {
  const std::string folder = argv[1];
  const int64_t records = argc > 2 ? std::stoll(argv[2]) : 200'000,
                dim = argc > 3 ? std::stoll(argv[3]) : 1024;
  const double seconds = argc > 4 ? std::stod(argv[4]) : 2;
  if (!PosixFs().Exists(folder + "/emb/manifest.json")) WriteInput(folder, records, dim);
  const std::shared_ptr<const Dataset> dataset = Dataset::Open({folder + "/data"}, {.without_images = true});
  const auto store = EmbeddingStore::Open({folder + "/emb"}, dataset);
  fmt::print(
      "{{\"records\": {}, \"row_bytes\": {}, \"store\": {:.0f}, \"loader\": {:.0f}, \"copy\": {:.0f}}}\n",
      dataset->size(), store->plan().view_bytes(), StoreRate(*store, seconds),
      LoaderRate(store, dataset, seconds), CopyRate(folder, store->plan().view_bytes(), seconds));
  return 0;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: embedding_rows FOLDER [records] [dim] [seconds]\n");
    return 2;
  }
  try {
    return graticule::Main(argc, argv);
  } catch (const graticule::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return error.exit_code();
  }
}
