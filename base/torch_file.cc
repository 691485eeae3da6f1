#include "base/torch_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/hash.h"
#include "base/stored_zip.h"
#include "base/text.h"
#include "base/torch_pickle.h"

namespace graticule {
namespace {

// Several times the largest tower of the field; a wrong path must not fill the memory.
constexpr uint64_t kMaxBytes = uint64_t{16} << 30;

[[noreturn]] void Fail(const std::string& file, uint64_t at, const std::string& what,
                       const std::string& hint = "the file is damaged") {
  throw Error(ErrorCode::kData, what, fmt::format("{}, byte {}", file, at), hint);
}

// The entries of the one folder that holds a data.pkl.
class Archive {
 public:
  Archive(std::span<const uint8_t> bytes, const std::string& file) : file_(file) {
    constexpr std::string_view kPickle = "/data.pkl";
    std::optional<std::string_view> folder;
    for (const StoredEntry& entry : ReadStoredZip(bytes, file)) {
      entries_.emplace(entry.name, entry);
      if (!entry.name.ends_with(kPickle)) continue;
      const std::string_view top = entry.name.substr(0, entry.name.size() - kPickle.size());
      if (top.find('/') != std::string_view::npos) continue;
      if (folder) Fail(file, entry.offset, "a second data.pkl, expected one");
      folder = top;
    }
    if (!folder) Fail(file, 0, "a zip without FOLDER/data.pkl", "torch.save did not write this file");
    folder_ = *folder;
  }

  // Its checksum has been compared; nullptr if there is no such entry.
  const StoredEntry* Find(std::string_view name) {
    const auto found = entries_.find(fmt::format("{}/{}", folder_, name));
    if (found == entries_.end()) return nullptr;
    StoredEntry& entry = found->second;
    if (entry.crc32 != 0 && Crc32(entry.bytes.data(), entry.bytes.size()) != entry.crc32)
      Fail(file_, entry.offset, fmt::format("the checksum of entry \"{}\" differs", Printable(entry.name)));
    entry.crc32 = 0;  // once is enough
    return &entry;
  }
  const StoredEntry& Get(std::string_view name, uint64_t wanted_at) {
    const StoredEntry* entry = Find(name);
    if (entry == nullptr) Fail(file_, wanted_at, fmt::format("there is no entry \"{}\"", Printable(name)));
    return *entry;
  }

 private:
  const std::string& file_;
  std::string folder_;
  std::map<std::string, StoredEntry, std::less<>> entries_;
};

std::string TextOf(const StoredEntry& entry) {
  std::string text(reinterpret_cast<const char*>(entry.bytes.data()),
                   std::min<size_t>(entry.bytes.size(), 64));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void RequireKnownForm(Archive& archive, const std::string& file) {
  if (const StoredEntry* order = archive.Find("byteorder"); order != nullptr && TextOf(*order) != "little")
    Fail(file, order->offset,
         fmt::format("byte order \"{}\", expected \"little\"", Printable(TextOf(*order))),
         "load and save it again on a little-endian machine");
  const StoredEntry& version = archive.Get("version", 0);
  if (TextOf(version) != "3")
    Fail(file, version.offset, fmt::format("version \"{}\", expected \"3\"", Printable(TextOf(version))),
         "save it with torch.save");
}

// What a shape asks of its storage. All in elements but the last.
struct Extent {
  uint64_t count = 1;  // of elements
  uint64_t end = 0;    // behind the last one reached, from the start of the storage
  uint64_t bytes = 0;  // of a copy in C order
  bool in_order = true;
};

// nullopt if a number is negative or does not fit into 64 bits, also where another extent is 0.
std::optional<Extent> ExtentOf(const PickledTensor& tensor) {
  Extent extent;
  uint64_t size = SizeOf(tensor.dtype), in_order_stride = 1;
  if (tensor.offset < 0 || tensor.storage_elements < 0) return std::nullopt;
  uint64_t last = static_cast<uint64_t>(tensor.offset);
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] < 0 || tensor.stride[i] < 0) return std::nullopt;
    const auto n = static_cast<uint64_t>(tensor.shape[i]), stride = static_cast<uint64_t>(tensor.stride[i]);
    uint64_t reach = 0;
    if (__builtin_mul_overflow(size, std::max<uint64_t>(n, 1), &size) || size > INT64_MAX ||
        __builtin_mul_overflow(stride, std::max<uint64_t>(n, 1) - 1, &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return std::nullopt;
    }
    if (n != 1 && stride != in_order_stride) extent.in_order = false;
    extent.count *= n;
    in_order_stride *= std::max<uint64_t>(n, 1);
  }
  extent.end = extent.count == 0 ? 0 : last + 1;
  extent.bytes = extent.count == 0 ? 0 : size;
  return extent;
}

// from: the tensor's first element. The result is in C order.
std::vector<uint8_t> InOrder(const PickledTensor& tensor, const uint8_t* from, const Extent& extent) {
  std::vector<uint8_t> out(extent.bytes);
  const size_t element = SizeOf(tensor.dtype), rank = tensor.shape.size();
  std::vector<int64_t> index(rank, 0);
  uint64_t at = 0;  // modulo 2^64: the stride of a dimension of one may be anything
  for (uint64_t i = 0; i < extent.count; ++i) {
    std::memcpy(out.data() + i * element, from + at * element, element);
    for (size_t d = rank; d-- > 0;) {
      const auto stride = static_cast<uint64_t>(tensor.stride[d]);
      at += stride;
      if (++index[d] < tensor.shape[d]) break;
      at -= stride * static_cast<uint64_t>(tensor.shape[d]);
      index[d] = 0;
    }
  }
  return out;
}

}  // namespace

void TorchFile::Read(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.size() >= 2 && bytes[0] == 0x80)
    Fail(name, 0, "a bare pickle, as torch.save wrote before version 1.6; expected a zip",
         "torch.save(torch.load(FILE, weights_only=True), FILE) with a current torch");
  Archive archive(bytes, name);
  RequireKnownForm(archive, name);
  const StoredEntry& pickle = archive.Get("data.pkl", 0);
  uint64_t may_copy = (1 << 20) + 4 * bytes.size();
  for (PickledTensor& tensor : ReadTorchPickle(pickle.bytes, name, pickle.offset)) {
    const std::string shown = Printable(tensor.name);
    const StoredEntry& storage = archive.Get(fmt::format("data/{}", tensor.storage), tensor.byte);
    const auto extent = ExtentOf(tensor);
    const auto elements = static_cast<uint64_t>(tensor.storage_elements);
    const size_t element = SizeOf(tensor.dtype);
    if (!extent)
      Fail(name, tensor.byte,
           fmt::format("tensor \"{}\" of shape [{}], strides [{}] and offset {} cannot be", shown,
                       fmt::join(tensor.shape, ","), fmt::join(tensor.stride, ","), tensor.offset));
    if (storage.bytes.size() / element != elements || storage.bytes.size() % element != 0)
      Fail(name, tensor.byte,
           fmt::format("storage \"{}\" has {} bytes, expected {} elements of {}", Printable(tensor.storage),
                       storage.bytes.size(), elements, element));
    if (extent->end > elements)
      Fail(name, tensor.byte,
           fmt::format("tensor \"{}\" reaches element {} of a storage of {}", shown, extent->end, elements));
    TensorView view = {tensor.dtype, tensor.shape, storage.bytes.data(), extent->bytes};
    if (extent->count > 0) view.data += static_cast<uint64_t>(tensor.offset) * element;
    if (!extent->in_order && extent->count > 0) {
      if (extent->bytes > may_copy)
        Fail(
            name, tensor.byte,
            fmt::format("tensor \"{}\" unfolds to {} bytes, more than the file allows", shown, extent->bytes),
            "save tensors made by expand() after contiguous()");
      may_copy -= extent->bytes;
      view.data = copies_.emplace_back(InOrder(tensor, view.data, *extent)).data();
    }
    if (!tensors_.emplace(std::move(tensor.name), std::move(view)).second)
      Fail(name, tensor.byte, fmt::format("the name \"{}\" comes twice", shown));
  }
}

std::shared_ptr<const TorchFile> TorchFile::Open(const std::string& path) {
  auto file = std::make_shared<TorchFile>();
  file->bytes_ = ReadFileToString(path, kMaxBytes);
  file->Read({reinterpret_cast<const uint8_t*>(file->bytes_.data()), file->bytes_.size()}, path);
  return file;
}

std::shared_ptr<const TorchFile> TorchFile::Parse(std::span<const uint8_t> bytes, const std::string& name) {
  auto file = std::make_shared<TorchFile>();
  file->Read(bytes, name);
  return file;
}

}  // namespace graticule
