#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"

namespace graticule {

FileLock::FileLock(const std::string& path) : path_(path) { Open(); }

void FileLock::Open() {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (file_ < 0) {
    throw Error(ErrorCode::kCheckpoint, std::string("cannot make the lock: ") + std::strerror(errno), path_,
                "The folder must be one that can be written to.");
  }
}

// From here on the destructor runs when a delegating constructor throws.
FileLock::FileLock(const std::string& path, const std::string& hint) : FileLock(path) {
  if (!Take()) throw Error(ErrorCode::kUsage, "another process is at work here", path, hint);
}

FileLock::FileLock(const std::string& path, const std::function<void()>& meanwhile) : FileLock(path) {
  while (!Take()) {
    meanwhile();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

// A file system without locks counts as free.
bool FileLock::Take() {
  while (flock(file_, LOCK_EX | LOCK_NB) == 0) {
    if (IsAt()) return true;
    close(file_);  // the last owner removed it since it was opened
    Open();
  }
  return errno == ENOTSUP || errno == ENOSYS;
}

bool FileLock::IsAt() const {
  struct stat ours {
  }, there{};
  return fstat(file_, &ours) == 0 && stat(path_.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

void FileLock::RemoveFile() {
  if (IsAt()) unlink(path_.c_str());
}

FileLock::~FileLock() { close(file_); }

}  // namespace graticule
