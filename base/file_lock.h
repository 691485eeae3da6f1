// One process at a time: an advisory lock on a file (flock), which the kernel releases when its owner dies.
//
// Between hosts it holds where the file system carries locks (NFS 4, Lustre with -o flock). The file stays
// unless RemoveFile is called; who had opened it before then takes the next one, not the removed one. Throws
// Error(kUsage) with `hint` when another process holds it, Error(kCheckpoint) when it cannot be made.
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
  void RemoveFile();  // while it is locked, so that nobody else's is removed
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(const std::string& path);  // opens the file
  void Open();
  bool Take();        // false when another process has it
  bool IsAt() const;  // the file at the path is the one that is open
  std::string path_;
  int file_ = -1;
};

}  // namespace graticule
