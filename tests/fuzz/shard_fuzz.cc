// Any columns in a sound HDF5 file of any schema: what our own reader of shards must judge once the library
// has read the file. Types, lengths and contents come from the input; checksums always fit.
#include <fuzzer/FuzzedDataProvider.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "data/shard/shard_reader.h"

namespace graticule {
namespace {

void Write(const std::string& path, FuzzedDataProvider& input) {
  H5Writer out(path);
  out.Reserve("/img/data", 1 << 20);
  out.SetAttribute("/img/data", "crc32c", uint32_t{0});
  out.SetAttribute("/", "schema", std::string_view(kRecordSchema));
  out.SetAttribute("/", "schema_version", kSchemaMajor);
  out.SetAttribute("/", "n_records", input.ConsumeIntegralInRange<uint64_t>(0, 4));
  std::vector<std::pair<std::string, ColumnType>> wanted = {
      {"/img/off", ColumnType::kU64},    {"/img/len", ColumnType::kU32},    {"/img/crc32c", ColumnType::kU32},
      {"/id/str_data", ColumnType::kU8}, {"/id/str_off", ColumnType::kU64}, {"/text/data", ColumnType::kU8},
      {"/text/off", ColumnType::kU64},   {"/seq/hash", ColumnType::kU64},   {"/geo/lat", ColumnType::kF64}};
  for (const auto& [name, usual] : wanted) {
    if (input.ConsumeIntegralInRange(0, 15) == 0) continue;
    const ColumnType type =
        input.ConsumeIntegralInRange(0, 15) == 0
            ? static_cast<ColumnType>(input.ConsumeIntegralInRange(0, kColumnTypeCount - 1))
            : usual;
    const auto count = input.ConsumeIntegralInRange<uint64_t>(0, 6);
    std::vector<uint8_t> bytes = input.ConsumeBytes<uint8_t>(count * SizeOf(type));
    bytes.resize(count * SizeOf(type));
    out.WriteDataset(name, type, count, bytes.data());
    out.SetAttribute(name, "crc32c", Crc32c(bytes.data(), bytes.size()));
  }
  out.Close();
}

void Read(const std::string& path) {
  const ShardReader reader(path, nullptr);
  for (const auto& [data, off] :
       {std::pair("/id/str_data", "/id/str_off"), std::pair("/text/data", "/text/off")}) {
    if (!reader.Has(off)) continue;
    try {
      const StringPool pool = reader.Pool(data, off);
      for (size_t i = 0; i < pool.size(); ++i) std::string(pool.at(i));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kData) throw;
    }
  }
  for (const ColumnSpec& spec : Columns()) {
    if (reader.Has(spec.path)) reader.ColumnBytes(spec.path);
  }
  std::vector<uint8_t> image;
  for (const ImageSlot& slot : reader.Slots()) {
    try {
      reader.ReadImage(slot, 0, image);
    } catch (const BadRecord&) {
    }
  }
}

}  // namespace
}  // namespace graticule

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  static const std::string path = "/dev/shm/shard_fuzz_" + std::to_string(getpid()) + ".h5";
  FuzzedDataProvider input(data, size);
  Write(path, input);
  try {
    Read(path);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  unlink(path.c_str());
  return 0;
}
