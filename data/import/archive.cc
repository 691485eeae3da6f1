#include "data/import/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <locale.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/read_ahead.h"

namespace graticule {
namespace {

constexpr uint64_t kMaxMember = 256 << 20;

// A tar's end: two blocks of zeros, then zeros up to a whole record. Programs write records of 20 blocks
// unless told otherwise; GNU tar's -b allows any number, of which more than 1 MiB is not seen.
constexpr uint64_t kTarBlock = 512, kEndMarker = 2 * kTarBlock, kUsualEnd = 21 * kTarBlock,
                   kLongestEnd = (1 << 20) + kTarBlock;
constexpr char kNoEnd[] = "This file was cut short, or slices that follow it are missing; fetch them.";

// libarchive turns names into the characters of the locale and gives none where they do not fit, which in the
// locale of batch jobs (C) is everything beyond ASCII. In this scope the thread's locale is UTF-8.
class Utf8Names {
 public:
  Utf8Names() {
    static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
    if (utf8 != locale_t{}) before_ = uselocale(utf8);
  }
  ~Utf8Names() {
    if (before_ != locale_t{}) uselocale(before_);
  }
  Utf8Names(const Utf8Names&) = delete;
  Utf8Names& operator=(const Utf8Names&) = delete;

 private:
  locale_t before_{};
};

std::vector<std::unique_ptr<ReadableFile>> OpenAll(const std::vector<std::string>& paths) {
  std::vector<std::unique_ptr<ReadableFile>> files;
  for (const std::string& path : paths) files.push_back(PosixFs().Open(path));
  return files;
}

std::string NameOf(const std::vector<std::string>& paths) {
  if (paths.empty()) throw Error(ErrorCode::kData, "no archive is named");
  return paths.size() == 1 ? paths[0] : fmt::format("{} and {} more slices", paths[0], paths.size() - 1);
}

// The slices as one file.
class JoinedFile final : public ReadableFile {
 public:
  explicit JoinedFile(std::vector<std::unique_ptr<ReadableFile>> slices) : slices_(std::move(slices)) {
    for (const auto& slice : slices_) starts_.push_back(starts_.back() + slice->size());
  }
  uint64_t size() const override { return starts_.back(); }
  int fd() const override { return -1; }
  // The slice that holds the byte; the last one for the end.
  size_t SliceAt(uint64_t offset) const {
    const auto after = std::upper_bound(starts_.begin(), starts_.end() - 1, offset);
    return static_cast<size_t>(after - starts_.begin()) - 1;
  }
  uint64_t start(size_t slice) const { return starts_[slice]; }  // of the one behind the last: the end
  size_t slices() const { return slices_.size(); }
  // How many zeros stand from `offset` on, counting no further than `most`.
  uint64_t Zeros(uint64_t offset, uint64_t most) const {
    std::vector<uint8_t> bytes(std::min(most, size() - offset));
    ReadAt(offset, bytes.data(), bytes.size());
    return static_cast<uint64_t>(
        std::find_if(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; }) - bytes.begin());
  }
  void ReadAt(uint64_t offset, void* out, size_t bytes) const override {
    auto* to = static_cast<uint8_t*>(out);
    while (bytes > 0) {
      const size_t slice = SliceAt(offset);
      const size_t part = std::min<uint64_t>(bytes, starts_[slice + 1] - offset);
      slices_[slice]->ReadAt(offset - starts_[slice], to, part);
      to += part;
      offset += part;
      bytes -= part;
    }
  }

 private:
  std::vector<std::unique_ptr<ReadableFile>> slices_;
  std::vector<uint64_t> starts_{0};  // of each slice, then the total
};

// What is wrong with a zip whose end is not one.
Error NoZip(const ReadableFile& file, const std::string& name) {
  char begin[2] = {};
  if (file.size() >= sizeof begin) file.ReadAt(0, begin, sizeof begin);
  if (std::string_view(begin, 2) != "PK") {
    return {ErrorCode::kData, fmt::format("no zip: its {} bytes do not begin with PK", file.size()), name,
            "A page of errors may have been saved under its name; fetch it again."};
  }
  return {ErrorCode::kData,
          fmt::format("the end of the zip, its central directory, is missing behind byte {}", file.size()),
          name, "Its download was probably cut short; fetch it again."};
}

// Whether the record that ends the central directory is there: 22 bytes, and a comment of up to 64 KiB.
bool EndsAsZip(const ReadableFile& file) {
  constexpr uint64_t kRecord = 22, kComment = 65535;
  std::string end(std::min(file.size(), kRecord + kComment), 0);
  file.ReadAt(file.size() - end.size(), end.data(), end.size());
  return end.size() >= kRecord && end.rfind("PK\x05\x06", end.size() - kRecord) != std::string::npos;
}

// The first of `count` slices that has the size which most have; 0 where there are none.
size_t OneOfUsualSize(size_t count, const std::function<uint64_t(size_t)>& size_of) {
  std::map<uint64_t, size_t> having;
  for (size_t i = 0; i < count; ++i) ++having[size_of(i)];
  size_t usual = 0;
  for (size_t i = 0; i < count; ++i)
    if (having[size_of(i)] > having[size_of(usual)]) usual = i;
  return usual;
}

}  // namespace

void CheckTarSlices(const std::vector<std::string>& slices) {
  const JoinedFile file(OpenAll(slices));
  const auto size_of = [&](size_t i) { return file.start(i + 1) - file.start(i); };
  const auto zeros_at_end = [&](uint64_t end, uint64_t bytes) {
    return end >= bytes && file.Zeros(end - bytes, bytes) == bytes;
  };
  // Zeros alone are what a download leaves where it has not been yet.
  const auto ends_in = [&](size_t i) {
    const uint64_t end = file.start(i + 1);
    return zeros_at_end(end, kEndMarker) && !zeros_at_end(end, std::min(size_of(i), kUsualEnd));
  };
  const size_t last = slices.size() - 1;
  const size_t usual = OneOfUsualSize(last, size_of);
  const auto compare = [&](size_t i) {
    return fmt::format("{} bytes, but {} has {}", size_of(i), BaseName(slices[usual]), size_of(usual));
  };
  for (size_t i = 0; i < last; ++i) {
    if (size_of(i) == size_of(usual)) continue;
    if (size_of(i) < size_of(usual) && ends_in(i))
      throw Error(ErrorCode::kData, fmt::format("the tar ends with {} already", BaseName(slices[i])),
                  slices[i + 1], "Move what belongs to another archive out of the folder.");
    throw Error(ErrorCode::kData, compare(i) + ": all slices but the last are equally long", slices[i],
                "Its download was probably cut short; fetch it again.");
  }
  if (last > 0 && size_of(last) > size_of(usual))
    throw Error(ErrorCode::kData, compare(last) + ": the last slice is never the longest", slices[last],
                "One of the two belongs to another download, or was cut short; fetch it again.");
  if (!zeros_at_end(file.size(), kEndMarker))
    throw Error(ErrorCode::kData, "the tar does not end here with two blocks of zeros", slices[last], kNoEnd);
}

void CheckZips(const std::vector<std::string>& zips) {
  std::string more;
  std::optional<Error> first;
  for (const std::string& path : zips) {
    const auto file = PosixFs().Open(path);
    if (EndsAsZip(*file)) continue;
    if (!first)
      first = NoZip(*file, path);
    else
      more += (more.empty() ? "" : ", ") + BaseName(path);
  }
  if (!first) return;
  if (more.empty()) throw *first;
  throw Error(first->code(), first->message() + "; nor are these whole: " + more, first->where(),
              "Fetch them again.");
}

// The joined slices as a seekable stream, in the shape libarchive asks for.
struct ArchiveReader::State {
  State(std::vector<std::unique_ptr<ReadableFile>> slices, std::string name)
      : file(std::move(slices)), name(std::move(name)) {}

  JoinedFile file;
  ReadAhead blocks{file};
  std::string name;
  std::vector<std::string> paths;  // of the slices, where known
  ArchiveFormat format = ArchiveFormat::kZip;
  uint64_t at = 0;
  std::string read_error;  // a failed read of ours, to be thrown once libarchive has returned
  archive* reader = nullptr;
  archive_entry* entry = nullptr;

  [[noreturn]] void Fail(const std::string& what) const {
    throw Error(ErrorCode::kData, read_error.empty() ? what : read_error, name,
                "The archive is damaged or incomplete; fetch it again.");
  }

  // A tar's offsets are told within the slice, which is what can be fetched again.
  [[noreturn]] void FailNear(uint64_t offset, const std::string& what, const std::string& hint) const {
    if (!read_error.empty()) Fail(read_error);
    const size_t slice = file.SliceAt(offset);
    throw Error(ErrorCode::kData, fmt::format("near byte {}: {}", offset - file.start(slice), what),
                paths.empty() ? name : paths[slice], hint);
  }
  // Of the current member; at the end, where one would begin.
  uint64_t HeaderPosition() const {
    return static_cast<uint64_t>(std::max<la_int64_t>(0, archive_read_header_position(reader)));
  }
  [[noreturn]] void FailDamaged() const {
    const char* text = archive_error_string(reader);
    FailNear(format == ArchiveFormat::kTar ? HeaderPosition() : at,
             fmt::format("damaged: {}", text == nullptr ? "unknown error" : text),
             "The archive is damaged or incomplete; fetch it again.");
  }
  void CheckTarEnd() const {
    const uint64_t end = std::min(HeaderPosition(), file.size());
    const uint64_t rest = file.size() - end, zeros = file.Zeros(end, kLongestEnd + 1);
    if (zeros == rest && rest < kEndMarker) FailNear(end, "the tar ends without two blocks of zeros", kNoEnd);
    const size_t slice = file.SliceAt(end), further = file.slices() - slice - 1;
    if (zeros == rest && rest <= (further == 0 ? kLongestEnd : kUsualEnd)) return;
    FailNear(end,
             fmt::format(
                 "zeros where the next member should begin, but {} bytes are left here and {} slices follow",
                 file.start(slice + 1) - end, further),
             "This download was probably never finished; fetch this file again and repeat the command.");
  }

  static la_ssize_t OnRead(archive* reader, void* self, const void** buffer) {
    auto& state = *static_cast<State*>(self);
    // No exception may cross libarchive's C frames.
    try {
      const std::span<const uint8_t> bytes = state.blocks.From(state.at);
      state.at += bytes.size();
      *buffer = bytes.data();
      return static_cast<la_ssize_t>(bytes.size());
    } catch (const std::exception& error) {
      state.read_error = error.what();
      archive_set_error(reader, EIO, "read error");
      return ARCHIVE_FATAL;
    }
  }
  static la_int64_t OnSkip(archive*, void* self, la_int64_t request) {
    auto& state = *static_cast<State*>(self);
    const uint64_t step = std::min<uint64_t>(static_cast<uint64_t>(std::max<la_int64_t>(request, 0)),
                                             state.file.size() - state.at);
    state.at += step;
    return static_cast<la_int64_t>(step);
  }
  static la_int64_t OnSeek(archive* reader, void* self, la_int64_t offset, int whence) {
    auto& state = *static_cast<State*>(self);
    const la_int64_t base = whence == SEEK_SET   ? 0
                            : whence == SEEK_CUR ? static_cast<la_int64_t>(state.at)
                                                 : static_cast<la_int64_t>(state.file.size());
    const la_int64_t target = base + offset;
    if (target < 0 || target > static_cast<la_int64_t>(state.file.size())) {
      archive_set_error(reader, EINVAL, "an offset points outside the archive");
      return ARCHIVE_FATAL;
    }
    state.at = static_cast<uint64_t>(target);
    return target;
  }
};

ArchiveReader::ArchiveReader(const std::vector<std::string>& slices, ArchiveFormat format)
    : ArchiveReader(OpenAll(slices), NameOf(slices), format) {
  state_->paths = slices;
}

ArchiveReader::ArchiveReader(std::vector<std::unique_ptr<ReadableFile>> slices, std::string name,
                             ArchiveFormat format)
    : state_(std::make_unique<State>(std::move(slices), std::move(name))) {
  State& state = *state_;
  state.format = format;
  state.reader = archive_read_new();
  if (format == ArchiveFormat::kZip) {
    archive_read_support_format_zip_seekable(state.reader);
  } else {
    archive_read_support_format_tar(state.reader);
  }
  archive_read_set_read_callback(state.reader, State::OnRead);
  archive_read_set_skip_callback(state.reader, State::OnSkip);
  archive_read_set_seek_callback(state.reader, State::OnSeek);
  archive_read_set_callback_data(state.reader, &state);
  if (archive_read_open1(state.reader) != ARCHIVE_OK) {
    const char* text = archive_error_string(state.reader);
    const std::string what =
        fmt::format("not a readable {} archive: {}", format == ArchiveFormat::kZip ? "zip" : "tar",
                    text == nullptr ? "unknown format" : text);
    const std::unique_ptr<archive, decltype(&archive_read_free)> cleanup(state.reader, archive_read_free);
    state.reader = nullptr;
    if (format == ArchiveFormat::kZip && state.read_error.empty()) throw NoZip(state.file, state.name);
    state.Fail(what);
  }
}

ArchiveReader::~ArchiveReader() {
  if (state_->reader != nullptr) archive_read_free(state_->reader);
}

bool ArchiveReader::Next(ArchiveMember& member) {
  const Utf8Names scope;
  while (true) {
    const int status = archive_read_next_header(state_->reader, &state_->entry);
    if (status == ARCHIVE_EOF) {
      if (state_->format == ArchiveFormat::kTar) state_->CheckTarEnd();
      return false;
    }
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) state_->FailDamaged();
    if (archive_entry_filetype(state_->entry) != AE_IFREG) continue;
    const char* name = archive_entry_pathname_utf8(state_->entry);
    if (name == nullptr) name = archive_entry_pathname(state_->entry);
    member.name = name == nullptr ? "" : name;
    member.size = static_cast<uint64_t>(std::max<la_int64_t>(0, archive_entry_size(state_->entry)));
    return true;
  }
}

bool ArchiveReader::Read(std::vector<uint8_t>& out, std::string& why) {
  out.clear();
  const uint64_t stated = static_cast<uint64_t>(std::max<la_int64_t>(0, archive_entry_size(state_->entry)));
  if (stated > kMaxMember) {
    why = fmt::format("{} bytes, at most {} are allowed", stated, kMaxMember);
    return false;
  }
  while (true) {
    const size_t old = out.size();
    // One byte more than stated, so that the end of the member, and with it the check of its CRC, is reached;
    // in steps, so that a false size allocates little.
    const size_t room = std::clamp<uint64_t>(stated + 1 > old ? stated + 1 - old : 0, 4096, 4 << 20);
    out.resize(old + room);
    const la_ssize_t got = archive_read_data(state_->reader, out.data() + old, room);
    if (got == ARCHIVE_FATAL) state_->FailDamaged();
    out.resize(old + static_cast<size_t>(std::max<la_ssize_t>(got, 0)));
    if (got < 0) {
      const char* text = archive_error_string(state_->reader);
      why = text == nullptr ? "damaged" : text;
      return false;
    }
    if (got == 0) return true;
    if (out.size() > kMaxMember) {
      why = fmt::format("more than {} bytes", kMaxMember);
      return false;
    }
  }
}

uint64_t ArchiveReader::position() const { return state_->at; }
uint64_t ArchiveReader::size() const { return state_->file.size(); }

}  // namespace graticule
