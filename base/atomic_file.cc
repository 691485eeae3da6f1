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

void RemoveUnfinished(FileSystem& fs, const std::string& folder,
                      const std::function<bool(const std::string&)>& ours) {
  constexpr std::string_view kMark = ".tmp";  // and the process
  for (const std::string& name : fs.List(folder)) {
    const size_t end = name.rfind(kMark);
    if (end == std::string::npos || end + kMark.size() == name.size()) continue;
    const bool process = name.find_first_not_of("0123456789", end + kMark.size()) == std::string::npos;
    if (process && ours(name.substr(0, end))) fs.Remove(JoinPath(folder, name));
  }
}

}  // namespace graticule
