// A file that appears under its name whole or not at all.
//
// It is written beside its name and renamed by Commit(), so a full disk, a kill or an exception leaves what
// was there before; without Commit() the destructor removes what was written. One thread. Throws what the
// file system throws: Error(kCheckpoint) where storage takes no more.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/fs.h"

namespace graticule {

class AtomicFile {
 public:
  // fs outlives it.
  AtomicFile(FileSystem& fs, std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void Append(const void* data, size_t bytes) { file_->Append(data, bytes); }
  void Append(std::string_view text) { file_->Append(text); }
  void Commit();  // fsync, rename, fsync of the folder

 private:
  FileSystem& fs_;
  std::string path_, temporary_;
  std::unique_ptr<WritableFile> file_;
  bool renamed_ = false;
};

// Removes from `folder` what killed processes were writing of the files for whose names `ours` holds. Under
// whatever keeps others from writing them now.
void RemoveUnfinished(FileSystem& fs, const std::string& folder,
                      const std::function<bool(const std::string& name)>& ours);

}  // namespace graticule
