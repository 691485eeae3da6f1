#include "base/fs.h"

namespace graticule {
namespace {

using Fault = std::function<void(std::string_view operation, const std::string& path)>;

class FaultyWritable : public WritableFile {
 public:
  FaultyWritable(std::unique_ptr<WritableFile> inner, std::string path, const Fault& fault)
      : inner_(std::move(inner)), path_(std::move(path)), fault_(fault) {}
  void Append(const void* data, size_t bytes) override {
    fault_("write", path_);
    inner_->Append(data, bytes);
  }
  void WriteAt(uint64_t offset, const void* data, size_t bytes) override {
    fault_("write", path_);
    inner_->WriteAt(offset, data, bytes);
  }
  void Sync() override {
    fault_("fsync", path_);
    inner_->Sync();
  }
  void Close() override {
    fault_("close", path_);
    inner_->Close();
  }

 private:
  std::unique_ptr<WritableFile> inner_;
  std::string path_;
  const Fault& fault_;
};

class FaultyFs : public FileSystem {
 public:
  FaultyFs(FileSystem& inner, Fault fault) : inner_(inner), fault_(std::move(fault)) {}
  std::unique_ptr<WritableFile> Create(const std::string& path) override {
    fault_("create", path);
    return std::make_unique<FaultyWritable>(inner_.Create(path), path, fault_);
  }
  std::unique_ptr<WritableFile> OpenAppend(const std::string& path) override {
    fault_("open-append", path);
    return std::make_unique<FaultyWritable>(inner_.OpenAppend(path), path, fault_);
  }
  std::unique_ptr<ReadableFile> Open(const std::string& path) override { return inner_.Open(path); }
  void Rename(const std::string& from, const std::string& to) override {
    fault_("rename", from);
    inner_.Rename(from, to);
  }
  void Remove(const std::string& path) override {
    fault_("remove", path);
    inner_.Remove(path);
  }
  // Not atomic in reality: every file below may be the last one removed.
  void RemoveTree(const std::string& path) override {
    if (inner_.IsDirectory(path)) {
      for (const std::string& name : inner_.List(path)) RemoveTree(JoinPath(path, name));
    }
    fault_("remove", path);
    inner_.RemoveTree(path);
  }
  void MakeDirs(const std::string& path) override {
    fault_("mkdir", path);
    inner_.MakeDirs(path);
  }
  void SyncFile(const std::string& path) override {
    fault_("fsync", path);
    inner_.SyncFile(path);
  }
  void SyncDir(const std::string& path) override {
    fault_("fsync-dir", path);
    inner_.SyncDir(path);
  }
  bool Exists(const std::string& path) override { return inner_.Exists(path); }
  bool IsDirectory(const std::string& path) override { return inner_.IsDirectory(path); }
  uint64_t FileSize(const std::string& path) override { return inner_.FileSize(path); }
  std::vector<std::string> List(const std::string& dir) override { return inner_.List(dir); }
  uint64_t FreeBytes(const std::string& path) override { return inner_.FreeBytes(path); }

 private:
  FileSystem& inner_;
  Fault fault_;
};

}  // namespace

std::unique_ptr<FileSystem> MakeFaultyFs(FileSystem& inner, Fault fault) {
  return std::make_unique<FaultyFs>(inner, std::move(fault));
}

}  // namespace graticule
