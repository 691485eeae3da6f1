// The safetensors container (https://github.com/huggingface/safetensors, format text), torch-free.
//
// Reading checks, in order: size, header length (<= 100 MB), UTF-8, JSON schema, no duplicate keys, offsets
// without hole or overlap, shape x dtype = size, exact end. A malformed file, and one that cannot be read, is
// an Error with the given code (kData for foreign files, kCheckpoint for our own). Writing follows the
// reference writer: dtype rank descending, then name; header padded to 8 bytes; sibling temporary file,
// fsync, rename.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fs.h"

namespace graticule {

enum class SafeDType : uint8_t {
  kBool,
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kU64,
  kI64,
  kF16,
  kBF16,
  kF32,
  kF64
};
size_t SizeOf(SafeDType dtype);
std::string_view NameOf(SafeDType dtype);  // "F32"

struct TensorView {
  SafeDType dtype = SafeDType::kF32;
  std::vector<int64_t> shape;  // C order; rank 0 is a scalar
  const uint8_t* data = nullptr;
  size_t bytes = 0;
};

// An opened file. Views live as long as this object. Thread-safe once opened.
class SafetensorsFile {
 public:
  // Reads all of it into memory.
  static std::shared_ptr<const SafetensorsFile> Open(const std::string& path,
                                                     ErrorCode code = ErrorCode::kData);
  // Reads the header alone. Views point into a mapping, where a page that cannot be read is a SIGBUS: they
  // are for Copy and for GuardedCopy (base/guarded_copy.h).
  static std::shared_ptr<const SafetensorsFile> Map(const std::string& path,
                                                    ErrorCode code = ErrorCode::kData);
  // The same checks over bytes in memory (not copied; the caller keeps them alive).
  static std::shared_ptr<const SafetensorsFile> Parse(std::span<const uint8_t> bytes, const std::string& name,
                                                      ErrorCode code = ErrorCode::kData);
  virtual ~SafetensorsFile() = default;
  virtual const std::map<std::string, TensorView>& tensors() const = 0;
  virtual const std::map<std::string, std::string>& metadata() const = 0;
  // Throws naming the file and the nearest existing name.
  virtual const TensorView& at(const std::string& name) const = 0;
  // Fills `out` with bytes of one of its tensors, from byte `from` on; reads them anew where the file is
  // mapped.
  virtual void Copy(const TensorView& tensor, size_t from, std::span<uint8_t> out) const = 0;
};

// Collects views (not copied; alive until Write returns). metadata {"format": "pt"} is always written.
class SafetensorsWriter {
 public:
  void Add(const std::string& name, TensorView view);
  void SetMetadata(const std::string& key, const std::string& value);
  // Returns the SHA-256 of the file, hashed while written.
  std::string Write(FileSystem& fs, const std::string& path) const;
  // The same bytes in memory, for files that are small.
  std::string Serialise() const;

 private:
  // Hands out the file's bytes in order, piece by piece.
  void Emit(const std::function<void(const void* data, size_t bytes)>& append) const;

  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace graticule
