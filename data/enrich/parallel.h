// A range of work cut into neighbouring parts, one thread each, with one shared count of what is done.
//
// The first failure of any part is thrown again once all have ended. `progress` is called by one thread at a
// time, and skipped while another one is in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace graticule {

using PartDone = std::function<void(int64_t more)>;  // thread-safe

void RunInParts(int threads, size_t n, const std::function<void(int64_t done)>& progress,
                const std::function<void(size_t from, size_t to, const PartDone& done)>& work);

}  // namespace graticule
