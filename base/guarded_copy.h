// Copies out of mapped files that report what reading the mapping plainly would die of.
//
// Where a page of a mapping cannot be read (the disk fails, the file was cut), the kernel sends SIGBUS to the
// thread that touched it. Inside a guarded copy that ends the copy; everywhere else the signal does what it
// did before. Thread-safe.
#pragma once

#include <cstddef>
#include <span>

namespace graticule {

struct MappedCopy {
  void* out = nullptr;
  const void* from = nullptr;  // in a mapping
  size_t bytes = 0;
  bool done = false;
};

// Makes the copies in turn and marks those that could be made; of the others `out` is undefined. Who wants to
// know why reads the same bytes from the file.
void GuardedCopy(std::span<MappedCopy> copies) noexcept;
[[nodiscard]] bool GuardedCopy(void* out, const void* mapped, size_t bytes) noexcept;

// Puts this process's handler of SIGBUS before the one that is installed. The first copy does so; whoever
// installs another handler calls it again. Not inside a copy.
void GuardMappedCopies() noexcept;

}  // namespace graticule
