#include "data/enrich/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace graticule {

void RunInParts(int threads, size_t n, const std::function<void(int64_t done)>& progress,
                const std::function<void(size_t from, size_t to, const PartDone& done)>& work) {
  std::atomic<int64_t> finished = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const PartDone done = [&](int64_t more) {
    finished += more;
    // Read inside of the lock, so that what is told never falls.
    if (std::unique_lock lock(mutex, std::try_to_lock); lock && progress) progress(finished);
  };
  const auto part = [&](size_t from, size_t to) {
    try {
      work(from, to, done);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  const auto count = static_cast<size_t>(std::max(1, threads));
  std::vector<std::jthread> pool;  // joined even where another one cannot be started
  for (size_t t = 1; t < count; ++t) pool.emplace_back(part, n * t / count, n * (t + 1) / count);
  part(0, n / count);
  for (std::jthread& thread : pool) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace graticule
