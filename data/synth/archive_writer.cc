#include "data/synth/archive_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/fs.h"

namespace graticule {
namespace {

constexpr time_t kMemberTime = 1'704'067'200;  // 2024-01-01 UTC

}  // namespace

struct ArchiveWriter::State {
  std::string path;
  archive* handle = archive_write_new();

  ~State() { archive_write_free(handle); }
  void Check(int rc) const {
    if (rc == ARCHIVE_OK) return;
    throw Error(ErrorCode::kData, fmt::format("cannot write the archive: {}", archive_error_string(handle)),
                path, "Check free space and permissions.");
  }
  void Begin(const std::string& name, mode_t type, mode_t mode, size_t bytes) const {
    std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(),
                                                                        archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), mode);
    archive_entry_set_size(entry.get(), static_cast<int64_t>(bytes));
    archive_entry_set_mtime(entry.get(), kMemberTime, 0);
    Check(archive_write_header(handle, entry.get()));
  }
};

ArchiveWriter::ArchiveWriter(const std::string& path, Format format) : state_(std::make_unique<State>()) {
  state_->path = path;
  archive* handle = state_->handle;
  if (format == Format::kTar) {
    state_->Check(archive_write_set_format_ustar(handle));
  } else {
    state_->Check(archive_write_set_format_zip(handle));
    state_->Check(archive_write_set_options(handle, "zip:compression=store"));
  }
  state_->Check(archive_write_add_filter_none(handle));
  state_->Check(archive_write_open_filename(handle, path.c_str()));
}

ArchiveWriter::~ArchiveWriter() = default;

void ArchiveWriter::AddFile(const std::string& name, std::span<const uint8_t> bytes) {
  state_->Begin(name, AE_IFREG, 0644, bytes.size());
  if (archive_write_data(state_->handle, bytes.data(), bytes.size()) !=
      static_cast<la_ssize_t>(bytes.size())) {
    state_->Check(ARCHIVE_FATAL);
  }
}

void ArchiveWriter::AddDirectory(const std::string& name) { state_->Begin(name, AE_IFDIR, 0755, 0); }

void ArchiveWriter::Close() { state_->Check(archive_write_close(state_->handle)); }

void SplitIntoSlices(const std::string& path, const std::string& prefix, int count) {
  FileSystem& fs = PosixFs();
  const auto whole = fs.Open(path);
  const uint64_t slice = (whole->size() / static_cast<uint64_t>(count) + 1) | 1;
  std::vector<uint8_t> buffer(1 << 20);
  for (int i = 0; i < count; ++i) {
    const auto out = fs.Create(fmt::format("{}{:02d}", prefix, i));
    uint64_t at = slice * static_cast<uint64_t>(i);
    const uint64_t end = std::min(at + slice, whole->size());
    while (at < end) {
      const size_t n = std::min<uint64_t>(buffer.size(), end - at);
      whole->ReadAt(at, buffer.data(), n);
      out->Append(buffer.data(), n);
      at += n;
    }
    out->Close();
  }
  fs.Remove(path);
}

}  // namespace graticule
