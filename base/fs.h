// The file-system seam: every write that must survive a crash goes through here, so that tests can make the
// n-th call fail (MakeFaultyFs) or drop what was not synced.
//
// Paths are UTF-8 strings. What fails to read throws Error(kData), what fails to write Error(kCheckpoint),
// naming the operation, the path and the reason of the system; callers whose files are checkpoints translate
// the first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace graticule {

// A file being written. Close() or Sync() report errors; the destructor only closes.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual void Append(const void* data, size_t bytes) = 0;
  void Append(std::string_view text) { Append(text.data(), text.size()); }
  virtual void WriteAt(uint64_t offset, const void* data, size_t bytes) = 0;
  virtual void Sync() = 0;  // fsync
  virtual void Close() = 0;
};

// A read-only file; ReadAt is thread-safe (pread).
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  virtual uint64_t size() const = 0;
  // Reads exactly `bytes`; EIO and short reads are retried 3 times with growing pauses, then Error(kData).
  virtual void ReadAt(uint64_t offset, void* out, size_t bytes) const = 0;
  virtual int fd() const = 0;  // -1 where there is none
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual std::unique_ptr<WritableFile> Create(const std::string& path) = 0;      // truncates
  virtual std::unique_ptr<WritableFile> OpenAppend(const std::string& path) = 0;  // makes it where missing
  virtual std::unique_ptr<ReadableFile> Open(const std::string& path) = 0;
  virtual void Rename(const std::string& from, const std::string& to) = 0;
  virtual void Remove(const std::string& path) = 0;  // a missing file is no error
  virtual void RemoveTree(const std::string& path) = 0;
  virtual void MakeDirs(const std::string& path) = 0;
  virtual void SyncFile(const std::string& path) = 0;  // for files that others wrote
  virtual void SyncDir(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) = 0;
  virtual bool IsDirectory(const std::string& path) = 0;
  virtual uint64_t FileSize(const std::string& path) = 0;
  virtual std::vector<std::string> List(const std::string& dir) = 0;  // names, sorted
  virtual uint64_t FreeBytes(const std::string& path) = 0;
};

// The real one. Process-wide, thread-safe.
FileSystem& PosixFs();

// Wraps `inner`; before each mutating call asks `fault(operation, path)`, which may throw or _exit.
std::unique_ptr<FileSystem> MakeFaultyFs(
    FileSystem& inner, std::function<void(std::string_view operation, const std::string& path)> fault);

// Calls `read`; an Error(kData) is repeated 3 times with growing pauses before it passes. For libraries that do
// their own reading of files known to be good.
void RepeatOnFailure(const std::function<void()>& read);

// Reads of this process that had to be repeated after EIO or because they came short. Thread-safe.
int64_t RepeatedReads();

std::string ReadFileToString(const std::string& path, uint64_t limit_bytes = 1ull << 30);
// Writes to a sibling temporary file, fsync, rename, fsync of the folder.
void WriteFileAtomically(FileSystem& fs, const std::string& path, std::string_view bytes);
std::string JoinPath(std::string_view a, std::string_view b);
std::string BaseName(std::string_view path);
std::string DirName(std::string_view path);

}  // namespace graticule
