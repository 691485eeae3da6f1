// Files of torch.save, read without torch and without running anything in them.
//
// Such a file is a zip of stored entries in one folder: data.pkl says which tensors there are
// (base/torch_pickle.h, which tells what is refused), data/<key> are their storages, byteorder must be
// "little", version 3. A tensor that lies in its storage in C order is a view of the file; one with other
// strides is copied into C order.
//
// Checked before a value is seen: the zip (base/stored_zip.h), the checksum of every entry used (0 means that
// the writer left it out), the size of each storage, every index a shape can reach, overflow. Copies may take
// 1 MiB and four times the file, which keeps expanded tensors from unfolding. Anything wrong is Error(kData)
// with the file, the byte and what was met. Thread-safe once opened.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/safetensors.h"

namespace graticule {

class TorchFile {
 public:
  static std::shared_ptr<const TorchFile> Open(const std::string& path);
  // The same over bytes in memory (not copied; the caller keeps them alive).
  static std::shared_ptr<const TorchFile> Parse(std::span<const uint8_t> bytes, const std::string& name);

  // By name: keys of nested dictionaries joined with "."; a bare tensor is called "". Views live as long as
  // this object and may be unaligned.
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }

 private:
  void Read(std::span<const uint8_t> bytes, const std::string& name);

  std::string bytes_;  // of a file that was opened
  std::deque<std::vector<uint8_t>> copies_;
  std::map<std::string, TensorView> tensors_;
};

}  // namespace graticule
