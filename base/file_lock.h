// One process at a time: an advisory lock on a file (flock), which the kernel releases when its owner dies.
//
// Between hosts it holds where the file system carries locks (NFS 4, Lustre with -o flock). The file stays.
// Throws Error(kUsage) with `hint` when another process holds it, Error(kCheckpoint) when it cannot be made.
#pragma once

#include <functional>
#include <string>

namespace graticule {

class FileLock {
 public:
  FileLock(const std::string& path, const std::string& hint);
  // Waits for its turn, calling `meanwhile` five times a second.
  FileLock(const std::string& path, const std::function<void()>& meanwhile);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(const std::string& path);  // opens the file
  bool Take();                                 // false when another process has it
  int file_ = -1;
};

}  // namespace graticule
