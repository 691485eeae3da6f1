#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"

namespace graticule {

FileLock::FileLock(const std::string& path) : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640)) {
  if (file_ < 0) throw Error(ErrorCode::kCheckpoint, std::strerror(errno), path);
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
bool FileLock::Take() { return flock(file_, LOCK_EX | LOCK_NB) == 0 || errno == ENOTSUP || errno == ENOSYS; }

FileLock::~FileLock() { close(file_); }

}  // namespace graticule
