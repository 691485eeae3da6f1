// Random reads of images from a shard: ours (pread and CRC-32C) beside pread alone, the limit, and H5Dread of
// the same bytes, same order, same threads.
//
//   shard_reads FOLDER [records] [bytes_each] [seconds]
//
// Writes a dataset of pseudo-random images into FOLDER unless it holds one, then prints one JSON object with
// reads/s per method and number of threads. bench/shard_reads.py adds h5py and prints the table. The page
// cache is warm: this measures the software between the caller and the bytes, not the disk.
#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/fs.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "data/shard/dataset_writer.h"
#include "data/shard/shard_reader.h"

namespace graticule {
namespace {

using Clock = std::chrono::steady_clock;

void WriteDataset(const std::string& folder, int64_t records, int64_t bytes_each) {
  const Dictionaries none;
  DatasetWriter writer(PosixFs(), folder, {.dataset = "bench", .records_per_shard = records}, none);
  std::mt19937_64 random(1);
  std::vector<uint8_t> image;
  for (int64_t i = 0; i < records; ++i) {
    image.resize(static_cast<size_t>(bytes_each / 2 + static_cast<int64_t>(random() % bytes_each)));
    for (size_t k = 0; k + 8 <= image.size(); k += 8) {
      const uint64_t word = random();
      std::memcpy(image.data() + k, &word, 8);
    }
    RecordRow row;
    row.SetFloat(Col::kLat, 0);
    row.SetFloat(Col::kLon, 0);
    writer.Append(std::to_string(i), image, {}, row);
  }
  writer.Finish();
}

// read(thread's random record, buffer) until time is up; reads per second over all threads.
double Rate(int threads, double seconds, int64_t records,
            const std::function<void(int64_t, std::vector<uint8_t>&)>& read) {
  std::atomic<int64_t> reads = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> workers;
  const Clock::time_point start = Clock::now();
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      Rng rng(7, {.index = static_cast<uint64_t>(t)});
      std::vector<uint8_t> buffer;
      int64_t mine = 0;
      for (; !stop.load(std::memory_order_relaxed); ++mine)
        read(static_cast<int64_t>(rng.Below(records)), buffer);
      reads += mine;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (std::thread& worker : workers) worker.join();
  return static_cast<double>(reads) / std::chrono::duration<double>(Clock::now() - start).count();
}

int Main(int argc, char** argv) {
  const std::string folder = argv[1];
  const int64_t records = argc > 2 ? std::stoll(argv[2]) : 4000,
                bytes_each = argc > 3 ? std::stoll(argv[3]) : 50'000;
  const double seconds = argc > 4 ? std::stod(argv[4]) : 2;
  if (!PosixFs().Exists(JoinPath(folder, kManifestName))) WriteDataset(folder, records, bytes_each);
  const auto dataset = Dataset::Open({folder});
  const int64_t n = dataset->size();
  const Manifest manifest = ReadManifest(folder);
  const std::string path = JoinPath(folder, manifest.shards[0].file);
  const std::vector<ImageSlot> slots = ShardReader(path, nullptr).Slots();

  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const uint64_t begin = manifest.shards[0].img_abs_off;

  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_file_locking(access, false, true);  // as in our reader: HDF5 refuses two opinions about one file
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  const hid_t data = H5Dopen2(file, "/img/data", H5P_DEFAULT), whole = H5Dget_space(data);
  const auto by_hdf5 = [&](int64_t record, std::vector<uint8_t>& out) {
    const ImageSlot& slot = slots[static_cast<size_t>(record)];
    out.resize(slot.len);
    const hsize_t start[1] = {slot.off}, count[1] = {slot.len};
    const hid_t memory = H5Screate_simple(1, count, nullptr), space = H5Scopy(whole);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, count, nullptr);
    H5Dread(data, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, out.data());
    H5Sclose(memory);
    H5Sclose(space);
  };
  const auto by_us = [&](int64_t record, std::vector<uint8_t>& out) { dataset->ReadImage(record, out); };
  const auto by_pread = [&](int64_t record, std::vector<uint8_t>& out) {
    const ImageSlot& slot = slots[static_cast<size_t>(record)];
    out.resize(slot.len);
    if (::pread(descriptor, out.data(), slot.len, static_cast<off_t>(begin + slot.off)) != slot.len)
      std::abort();
  };
  Rate(1, 0.5, n, by_us);  // warms cache and clock
  std::string json;
  for (const int threads : {1, 2}) {
    json += fmt::format("{}{{\"method\": \"graticule\", \"threads\": {}, \"reads_per_s\": {:.0f}}}",
                        json.empty() ? "" : ", ", threads, Rate(threads, seconds, n, by_us));
    json += fmt::format(", {{\"method\": \"pread\", \"threads\": {}, \"reads_per_s\": {:.0f}}}", threads,
                        Rate(threads, seconds, n, by_pread));
    json += fmt::format(", {{\"method\": \"H5Dread\", \"threads\": {}, \"reads_per_s\": {:.0f}}}", threads,
                        Rate(threads, seconds, n, by_hdf5));
  }
  uint64_t bytes = 0;
  for (const ImageSlot& slot : slots) bytes += slot.len;
  fmt::print("{{\"records\": {}, \"mean_bytes\": {:.0f}, \"shard\": \"{}\", \"rates\": [{}]}}\n", n,
             static_cast<double>(bytes) / static_cast<double>(n), path, json);
  ::close(descriptor);
  H5Sclose(whole);
  H5Dclose(data);
  H5Fclose(file);
  H5Pclose(access);
  return 0;
}

}  // namespace
}  // namespace graticule

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: shard_reads FOLDER [records] [bytes_each] [seconds]\n");
    return 2;
  }
  try {
    return graticule::Main(argc, argv);
  } catch (const graticule::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return error.exit_code();
  }
}
