// Preloaded into a program, makes its reads of some files go wrong as network storage does.
//
//   FLAKY_FILES=end  files whose names end so; .h5 (shards) where it is not set
//   FLAKY_EVERY=n    every n-th read fails with EIO, and every n-th in between comes short
//   FLAKY_STALL_S=s  one read takes so long
//   FLAKY_AFTER=n    from the n-th read on all fail with EIO
//   FLAKY_DELAY_MS=m each read takes so much longer
#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

int64_t Number(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : std::atoll(text);
}

bool IsMeant(int fd) {
  static const char* const set = std::getenv("FLAKY_FILES");
  static const std::string_view end = set == nullptr ? ".h5" : set;
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t n = readlink(link.c_str(), path, sizeof path);
  return n > 0 && std::string_view(path, static_cast<size_t>(n)).ends_with(end);
}

}  // namespace

// On 64-bit systems pread64 is the same function under another name; ours calls pread.
extern "C" ssize_t pread(int fd, void* out, size_t bytes, off_t offset) {
  using Read = ssize_t (*)(int, void*, size_t, off_t);
  static const auto real = reinterpret_cast<Read>(dlsym(RTLD_NEXT, "pread"));
  static const int64_t every = Number("FLAKY_EVERY"), stall_s = Number("FLAKY_STALL_S"),
                       after = Number("FLAKY_AFTER"), delay_ms = Number("FLAKY_DELAY_MS");
  static std::atomic<int64_t> reads = 0;
  if (!IsMeant(fd)) return real(fd, out, bytes, offset);
  const int64_t read = ++reads;
  if (delay_ms > 0) usleep(static_cast<useconds_t>(delay_ms * 1000));
  if ((after > 0 && read >= after) || (every > 0 && read % every == 0)) {
    errno = EIO;
    return -1;
  }
  if (every > 0 && read % every == every / 2) return real(fd, out, bytes / 2, offset);
  if (stall_s > 0 && read == 100) sleep(static_cast<unsigned>(stall_s));
  return real(fd, out, bytes, offset);
}
