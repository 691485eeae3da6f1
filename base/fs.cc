#include "base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/atomic_file.h"

namespace graticule {
namespace {

[[noreturn]] void Fail(std::string_view operation, const std::string& path, int error,
                       ErrorCode code = ErrorCode::kData) {
  std::string hint;
  if (error == ENOSPC || error == EDQUOT) hint = "free space there, or choose another folder";
  if (error == EMFILE) hint = "raise the limit of open files, `ulimit -Hn`: each shard needs up to three";
  if (error == EACCES || error == EPERM || error == EROFS) hint = "check the permissions of the path";
  throw Error(code, fmt::format("cannot {}: {}", operation, std::strerror(error)), path, hint);
}

[[noreturn]] void FailToWrite(std::string_view operation, const std::string& path, int error) {
  Fail(operation, path, error, ErrorCode::kCheckpoint);
}

// Owns a descriptor.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int OpenRetrying(const std::string& path, int flags, mode_t mode = 0) {
  int fd;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

class PosixWritable : public WritableFile {
 public:
  PosixWritable(std::string path, int fd, uint64_t end = 0) : path_(std::move(path)), fd_(fd), end_(end) {}
  void Append(const void* data, size_t bytes) override {
    WriteAt(end_, data, bytes);
    end_ += bytes;
  }
  void WriteAt(uint64_t offset, const void* data, size_t bytes) override {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t n = ::pwrite(fd_.get(), at, bytes, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) FailToWrite("write", path_, errno);
      at += n;
      offset += static_cast<uint64_t>(n);
      bytes -= static_cast<size_t>(n);
    }
  }
  void Sync() override {
    if (::fsync(fd_.get()) != 0) FailToWrite("fsync", path_, errno);
  }
  void Close() override {
    const int fd = fd_.Release();
    if (fd >= 0 && ::close(fd) != 0 && errno != EINTR) FailToWrite("close", path_, errno);
  }

 private:
  std::string path_;
  Fd fd_;
  uint64_t end_;
};

constexpr int kRepeats = 3;

std::atomic<int64_t> g_repeated_reads{0};

void PauseBeforeRepeat(int tries) {
  g_repeated_reads.fetch_add(1, std::memory_order_relaxed);
  std::this_thread::sleep_for(std::chrono::milliseconds(1 << (4 * tries)));  // 1, 16, 256 ms
}

class PosixReadable : public ReadableFile {
 public:
  PosixReadable(std::string path, int fd) : path_(std::move(path)), fd_(fd) {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) Fail("stat", path_, errno);
    if (S_ISDIR(info.st_mode)) Fail("open", path_, EISDIR);
    // Pipes and devices cannot be read again, which the readers of tables and shards do.
    if (!S_ISREG(info.st_mode))
      throw Error(ErrorCode::kData, "not a regular file", path_, "Write it to a file first, and name that.");
    size_ = static_cast<uint64_t>(info.st_size);
  }
  uint64_t size() const override { return size_; }
  int fd() const override { return fd_.get(); }
  void ReadAt(uint64_t offset, void* out, size_t bytes) const override {
    auto* at = static_cast<char*>(out);
    // Network file systems return EIO and short reads under load; asking again is the documented remedy.
    int tries = 0;
    while (bytes > 0) {
      const ssize_t n = ::pread(fd_.get(), at, bytes, static_cast<off_t>(offset));
      if (n > 0) {
        at += n;
        offset += static_cast<uint64_t>(n);
        bytes -= static_cast<size_t>(n);
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno != EIO) Fail("read", path_, errno);
      if (tries < kRepeats) {
        PauseBeforeRepeat(tries++);
        continue;
      }
      if (n < 0) Fail("read", path_, EIO);
      throw Error(ErrorCode::kData,
                  fmt::format("the file ends {} bytes too early at offset {}", bytes, offset), path_,
                  "the file is truncated or still being written");
    }
  }

 private:
  std::string path_;
  Fd fd_;
  uint64_t size_ = 0;
};

class Posix : public FileSystem {
 public:
  std::unique_ptr<WritableFile> Create(const std::string& path) override {
    const int fd = OpenRetrying(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) FailToWrite("create", path, errno);
    return std::make_unique<PosixWritable>(path, fd);
  }
  std::unique_ptr<WritableFile> OpenAppend(const std::string& path) override {
    const int fd = OpenRetrying(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0) FailToWrite("open for appending", path, errno);
    return std::make_unique<PosixWritable>(path, fd, FileSize(path));
  }
  std::unique_ptr<ReadableFile> Open(const std::string& path) override {
    // O_NONBLOCK: a FIFO where a file is expected must not hang the program.
    const int fd = OpenRetrying(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0) Fail("open", path, errno);
    return std::make_unique<PosixReadable>(path, fd);
  }
  void Rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) {
      const int error = errno;
      FailToWrite(fmt::format("rename to {}", to), from, error);
    }
  }
  void Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) FailToWrite("remove", path, errno);
  }
  void RemoveTree(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) FailToWrite("remove the folder", path, error.value());
  }
  void MakeDirs(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) FailToWrite("create the folder", path, error.value());
  }
  void SyncFile(const std::string& path) override {
    const Fd fd(OpenRetrying(path, O_RDONLY | O_NONBLOCK));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0) FailToWrite("fsync", path, errno);
  }
  void SyncDir(const std::string& path) override {
    const Fd fd(OpenRetrying(path, O_RDONLY | O_DIRECTORY));
    if (fd.get() < 0) Fail("open the folder", path, errno);
    if (::fsync(fd.get()) != 0 && errno != EINVAL) FailToWrite("fsync the folder", path, errno);
  }
  bool Exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }
  bool IsDirectory(const std::string& path) override {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  }
  uint64_t FileSize(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) Fail("stat", path, errno);
    return static_cast<uint64_t>(info.st_size);
  }
  std::vector<std::string> List(const std::string& dir) override {
    DIR* handle = ::opendir(dir.c_str());
    if (handle == nullptr) Fail("list the folder", dir, errno);
    std::vector<std::string> names;
    int error = 0;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(handle);
      if (entry == nullptr) {
        error = errno;
        break;
      }
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(handle);
    if (error != 0) Fail("list the folder", dir, error);
    std::sort(names.begin(), names.end());
    return names;
  }
  uint64_t FreeBytes(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) Fail("ask the free space of", path, errno);
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }
};

}  // namespace

FileSystem& PosixFs() {
  static Posix fs;
  return fs;
}

void RepeatOnFailure(const std::function<void()>& read) {
  for (int tries = 0;; ++tries) {
    try {
      return read();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kData || tries == kRepeats) throw;
    }
    PauseBeforeRepeat(tries);
  }
}

int64_t RepeatedReads() { return g_repeated_reads.load(std::memory_order_relaxed); }

std::string ReadFileToString(const std::string& path, uint64_t limit_bytes) {
  const auto file = PosixFs().Open(path);
  if (file->size() > limit_bytes) {
    throw Error(ErrorCode::kData,
                fmt::format("the file has {} bytes, at most {} are accepted", file->size(), limit_bytes),
                path);
  }
  std::string bytes(file->size(), '\0');
  file->ReadAt(0, bytes.data(), bytes.size());
  return bytes;
}

void WriteFileAtomically(FileSystem& fs, const std::string& path, std::string_view bytes) {
  AtomicFile file(fs, path);
  file.Append(bytes);
  file.Commit();
}

std::string JoinPath(std::string_view a, std::string_view b) {
  if (a.empty() || (!b.empty() && b.front() == '/')) return std::string(b);
  if (b.empty()) return std::string(a);
  return fmt::format("{}{}{}", a, a.back() == '/' ? "" : "/", b);
}

std::string BaseName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return std::string(slash == path.npos || path.size() == 1 ? path : path.substr(slash + 1));
}

std::string DirName(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace graticule
