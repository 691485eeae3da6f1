#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace graticule {

FileLock::FileLock(const std::string& path, const std::string& hint)
    : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640)) {
  if (file_ < 0) throw Error(ErrorCode::kCheckpoint, std::strerror(errno), path);
  if (flock(file_, LOCK_EX | LOCK_NB) == 0 || errno == ENOTSUP || errno == ENOSYS) return;
  close(file_);
  throw Error(ErrorCode::kUsage, "another process is at work here", path, hint);
}

FileLock::~FileLock() { close(file_); }

}  // namespace graticule
