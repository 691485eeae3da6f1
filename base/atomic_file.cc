#include "base/atomic_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

namespace graticule {

AtomicFile::AtomicFile(FileSystem& fs, std::string path)
    : fs_(fs),
      path_(std::move(path)),
      temporary_(fmt::format("{}.tmp{}", path_, ::getpid())),
      file_(fs.Create(temporary_)) {}

AtomicFile::~AtomicFile() {
  if (renamed_) return;
  try {
    fs_.Remove(temporary_);
  } catch (...) {  // the first failure is the one worth telling
  }
}

void AtomicFile::Commit() {
  file_->Sync();
  file_->Close();
  fs_.Rename(temporary_, path_);
  renamed_ = true;
  fs_.SyncDir(DirName(path_));
}

}  // namespace graticule
