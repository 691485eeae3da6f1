#include "data/shard/hdf5.h"

#include <fmt/format.h>
// The one object-info layout that HDF5 1.10, 1.12 and 1.14 all offer.
#define H5_USE_18_API
#include <hdf5.h>

#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fs.h"

namespace graticule {
namespace {

constexpr uint64_t kAlignment = 1 << 20;
constexpr int kMaxDepth = 4;
constexpr hsize_t kMaxLinks = 1024;
constexpr uint64_t kMaxBytes = uint64_t{1} << 42;
constexpr size_t kMaxAttribute = 64 << 10;
constexpr char kFetchAgain[] =
    "The file is damaged or was not written by graticule; fetch or import it again.";

std::mutex& LibraryLock() {
  static std::mutex lock;
  return lock;
}

// An HDF5 identifier with the function that closes it.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }
  herr_t Close() { return close_(std::exchange(id_, -1)); }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// Silences HDF5's own traces (the setting is per thread) and forbids filter plugins.
void Quiet() {
  // A file that a full disk kept from closing stays in the library's list, and its clean-up at exit crashes
  // on it. We close what we open. Before any other call to the library.
  [[maybe_unused]] static const herr_t no_clean_up = H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

hid_t FileType(ColumnType type) {
  const hid_t types[kColumnTypeCount] = {H5T_STD_U8LE,   H5T_STD_I8LE,  H5T_STD_U16LE, H5T_STD_I16LE,
                                         H5T_STD_U32LE,  H5T_STD_I32LE, H5T_STD_U64LE, H5T_STD_I64LE,
                                         H5T_IEEE_F32LE, H5T_IEEE_F64LE};
  return types[static_cast<size_t>(type)];
}

// Of an innermost HDF5 failure, its short description, or what the system said.
std::string LastHdf5Message() {
  std::string message;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned n, const H5E_error2_t* error, void* data) -> herr_t {
        if (n == 0 && error->desc != nullptr) *static_cast<std::string*>(data) = error->desc;
        return 0;
      },
      &message);
  H5Eclear2(H5E_DEFAULT);
  constexpr std::string_view kOfSystem = "error message = '";
  if (const size_t at = message.find(kOfSystem); at != std::string::npos) {
    const size_t begin = at + kOfSystem.size();
    return message.substr(begin, message.find('\'', begin) - begin);
  }
  return message.empty() ? "unknown HDF5 error" : message;
}

[[noreturn]] void FailWrite(const std::string& path, const std::string& object) {
  throw Error(ErrorCode::kCheckpoint, fmt::format("cannot write {}: {}", object, LastHdf5Message()), path,
              "Check free space and permissions of the folder.");
}

}  // namespace

struct H5Writer::State {
  std::string path;
  Handle file{-1, H5Fclose};
};

H5Writer::H5Writer(const std::string& path) : state_(std::make_unique<State>()) {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  state_->path = path;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_alignment(access.get(), kAlignment, kAlignment);
  H5Pset_file_locking(access.get(), false, true);
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation.get(), false);
  state_->file = Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose);
  if (!state_->file) FailWrite(path, "the file");
}

H5Writer::~H5Writer() {
  const std::lock_guard lock(LibraryLock());
  state_.reset();
}

namespace {

// A contiguous dataset of `count` elements; intermediate groups are made as needed.
Handle MakeDataset(hid_t file, const std::string& path, ColumnType type, uint64_t count,
                   H5D_alloc_time_t when) {
  const hsize_t dims[1] = {count};
  const Handle space(H5Screate_simple(1, dims, nullptr), H5Sclose);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_layout(creation.get(), H5D_CONTIGUOUS);
  H5Pset_alloc_time(creation.get(), when);
  H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
  H5Pset_obj_track_times(creation.get(), false);
  const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links.get(), 1);
  return Handle(
      H5Dcreate2(file, path.c_str(), FileType(type), space.get(), links.get(), creation.get(), H5P_DEFAULT),
      H5Dclose);
}

}  // namespace

uint64_t H5Writer::Reserve(const std::string& path, uint64_t bytes) {
  GRATICULE_CHECK(bytes >= kAlignment, "small objects are not aligned");
  const std::lock_guard lock(LibraryLock());
  Quiet();
  const Handle dataset = MakeDataset(state_->file.get(), path, ColumnType::kU8, bytes, H5D_ALLOC_TIME_EARLY);
  if (!dataset) FailWrite(state_->path, path);
  const haddr_t offset = H5Dget_offset(dataset.get());
  GRATICULE_CHECK(offset != HADDR_UNDEF && offset % kAlignment == 0);
  return offset;
}

void H5Writer::WriteDataset(const std::string& path, ColumnType type, uint64_t count, const void* data) {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  const Handle dataset = MakeDataset(state_->file.get(), path, type, count, H5D_ALLOC_TIME_EARLY);
  if (!dataset) FailWrite(state_->path, path);
  if (count == 0) return;
  if (H5Dwrite(dataset.get(), FileType(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
    FailWrite(state_->path, path);
}

namespace {

void WriteAttribute(hid_t file, const std::string& file_path, const std::string& object,
                    const std::string& name, hid_t type, const void* data) {
  const Handle target(H5Oopen(file, object.c_str(), H5P_DEFAULT), H5Oclose);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  if (target && space) {
    const Handle attribute(
        H5Acreate2(target.get(), name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    if (attribute && H5Awrite(attribute.get(), type, data) >= 0) return;
  }
  FailWrite(file_path, object + "@" + name);
}

}  // namespace

void H5Writer::SetAttribute(const std::string& object, const std::string& name, std::string_view value) {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), value.size() + 1);  // HDF5 has no empty strings: one byte for the terminator
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const std::string terminated(value);
  WriteAttribute(state_->file.get(), state_->path, object, name, type.get(), terminated.c_str());
}

void H5Writer::SetAttribute(const std::string& object, const std::string& name, uint32_t value) {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  WriteAttribute(state_->file.get(), state_->path, object, name, H5T_STD_U32LE, &value);
}

void H5Writer::SetAttribute(const std::string& object, const std::string& name, uint64_t value) {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  WriteAttribute(state_->file.get(), state_->path, object, name, H5T_STD_U64LE, &value);
}

void H5Writer::Close() {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  if (H5Fflush(state_->file.get(), H5F_SCOPE_GLOBAL) < 0 || state_->file.Close() < 0)
    FailWrite(state_->path, "the file");
}

struct H5Reader::State {
  std::string path;
  Handle file{-1, H5Fclose};
  uint64_t file_size = 0;
  std::set<haddr_t> groups_seen;
  std::map<std::string, H5DatasetInfo>* datasets = nullptr;

  [[noreturn]] void Refuse(const std::string& object, const std::string& found) const {
    throw Error(ErrorCode::kData, fmt::format("{} {}", object, found), path, kFetchAgain);
  }
  void Walk(hid_t group, const std::string& prefix, int depth);
  void CheckDataset(hid_t group, const std::string& name, const std::string& object);
};

void H5Reader::State::Walk(hid_t group, const std::string& prefix, int depth) {
  H5G_info_t info;
  if (H5Gget_info(group, &info) < 0) Refuse(prefix, "is not a readable group: " + LastHdf5Message());
  if (info.nlinks > kMaxLinks)
    Refuse(prefix, fmt::format("holds {} objects, at most {} are allowed", info.nlinks, kMaxLinks));
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    char name[256];
    const ssize_t length =
        H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof(name), H5P_DEFAULT);
    if (length <= 0 || length >= static_cast<ssize_t>(sizeof(name))) {
      Refuse(prefix, fmt::format("has an unreadable name at position {}", i));
    }
    const std::string object = (prefix == "/" ? "/" : prefix + "/") + name;
    H5L_info_t link;
    if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0) Refuse(object, "has an unreadable link");
    if (link.type != H5L_TYPE_HARD) Refuse(object, "is a soft or external link, only hard links are allowed");
    H5O_info_t target;
    if (H5Oget_info_by_name(group, name, &target, H5P_DEFAULT) < 0) {
      Refuse(object, "has an unreadable header: " + LastHdf5Message());
    }
    if (target.type == H5O_TYPE_DATASET) {
      CheckDataset(group, name, object);
    } else if (target.type == H5O_TYPE_GROUP) {
      if (depth >= kMaxDepth) Refuse(object, fmt::format("lies deeper than {} groups", kMaxDepth));
      if (!groups_seen.insert(target.addr).second) Refuse(object, "is a group that is reached twice");
      const Handle child(H5Gopen2(group, name, H5P_DEFAULT), H5Gclose);
      if (!child) Refuse(object, "is not a readable group: " + LastHdf5Message());
      Walk(child.get(), object, depth + 1);
    } else {
      Refuse(object, "is neither a group nor a dataset");
    }
  }
}

void H5Reader::State::CheckDataset(hid_t group, const std::string& name, const std::string& object) {
  const Handle dataset(H5Dopen2(group, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset) Refuse(object, "is not a readable dataset: " + LastHdf5Message());
  // The layout is looked at before the extent: asking a virtual dataset for its extent opens other files.
  const Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose);
  if (!creation || H5Pget_layout(creation.get()) != H5D_CONTIGUOUS)
    Refuse(object, "is not stored contiguously");
  if (H5Pget_external_count(creation.get()) != 0) Refuse(object, "keeps its bytes in another file");
  if (H5Pget_nfilters(creation.get()) != 0) Refuse(object, "uses filters");
  const Handle type(H5Dget_type(dataset.get()), H5Tclose);
  const Handle space(H5Dget_space(dataset.get()), H5Sclose);
  if (!type || !space) Refuse(object, "has an unreadable type or extent: " + LastHdf5Message());
  H5DatasetInfo info;
  bool known = false;
  for (int i = 0; i < kColumnTypeCount && !known; ++i) {
    info.type = static_cast<ColumnType>(i);
    known = H5Tequal(type.get(), FileType(info.type)) > 0;
  }
  if (!known) Refuse(object, "has a type other than little-endian integers of 8 to 64 bits, f32 and f64");
  hsize_t dims[1] = {0};
  if (H5Sget_simple_extent_ndims(space.get()) != 1 ||
      H5Sget_simple_extent_dims(space.get(), dims, nullptr) != 1) {
    Refuse(object, "is not one-dimensional");
  }
  info.count = dims[0];
  if (info.count > kMaxBytes / SizeOf(info.type))
    Refuse(object, fmt::format("claims {} elements", info.count));
  info.bytes = info.count * SizeOf(info.type);
  if (info.bytes > 0) {
    const haddr_t offset = H5Dget_offset(dataset.get());
    if (offset == HADDR_UNDEF) Refuse(object, "has no storage");
    if (offset > file_size || info.bytes > file_size - offset) {
      Refuse(object,
             fmt::format("spans bytes {} to {} of a file of {}", offset, offset + info.bytes, file_size));
    }
    info.offset = offset;
  }
  (*datasets)[object] = info;
}

H5Reader::H5Reader(const std::string& path) : state_(std::make_unique<State>()) {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  state_->path = path;
  state_->datasets = &datasets_;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_sec2(access.get());
  H5Pset_file_locking(access.get(), false, true);
  state_->file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!state_->file) {
    PosixFs().Open(path);  // tells what the library does not: too many open files
    throw Error(ErrorCode::kData, fmt::format("not a readable HDF5 file: {}", LastHdf5Message()), path,
                kFetchAgain);
  }
  hsize_t size = 0;
  if (H5Fget_filesize(state_->file.get(), &size) < 0) state_->Refuse("/", "has no readable size");
  state_->file_size = size;
  const Handle root(H5Gopen2(state_->file.get(), "/", H5P_DEFAULT), H5Gclose);
  H5O_info_t info;
  if (!root || H5Oget_info(root.get(), &info) < 0) state_->Refuse("/", "is not a readable group");
  state_->groups_seen.insert(info.addr);
  state_->Walk(root.get(), "/", 0);
}

H5Reader::~H5Reader() {
  const std::lock_guard lock(LibraryLock());
  state_.reset();
}

namespace {

// The attribute if it exists and is a scalar; an invalid handle otherwise.
Handle OpenAttribute(hid_t file, const std::string& object, const std::string& name) {
  if (H5Aexists_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT) <= 0) return Handle(-1, H5Aclose);
  return Handle(H5Aopen_by_name(file, object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
}

bool IsScalar(hid_t attribute) {
  const Handle space(H5Aget_space(attribute), H5Sclose);
  return space && H5Sget_simple_extent_npoints(space.get()) == 1;
}

}  // namespace

std::optional<std::string> H5Reader::StringAttribute(const std::string& object,
                                                     const std::string& name) const {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  const Handle attribute = OpenAttribute(state_->file.get(), object, name);
  if (!attribute) return std::nullopt;
  const Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const size_t size = type ? H5Tget_size(type.get()) : 0;
  if (!type || H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) != 0 ||
      size > kMaxAttribute || !IsScalar(attribute.get())) {
    state_->Refuse(object + "@" + name, "is not a fixed-length string of at most 64 KiB");
  }
  std::string value(size, '\0');
  if (H5Aread(attribute.get(), type.get(), value.data()) < 0)
    state_->Refuse(object + "@" + name, "cannot be read");
  value.resize(value.find('\0') == std::string::npos ? size : value.find('\0'));
  return value;
}

std::optional<uint64_t> H5Reader::IntAttribute(const std::string& object, const std::string& name) const {
  const std::lock_guard lock(LibraryLock());
  Quiet();
  const Handle attribute = OpenAttribute(state_->file.get(), object, name);
  if (!attribute) return std::nullopt;
  const Handle type(H5Aget_type(attribute.get()), H5Tclose);
  uint64_t value = 0;
  if (!type || H5Tget_class(type.get()) != H5T_INTEGER || !IsScalar(attribute.get()) ||
      H5Aread(attribute.get(), H5T_NATIVE_UINT64, &value) < 0) {
    state_->Refuse(object + "@" + name, "is not an integer");
  }
  return value;
}

}  // namespace graticule
