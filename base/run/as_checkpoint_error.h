// What goes wrong with the files of a run is a checkpoint error, also where the file system calls it one of
// data.
#pragma once

#include "base/error.h"

namespace graticule {

// Runs `body` and returns what it returns; Error(kData) becomes Error(kCheckpoint), anything else passes.
template <typename Body>
auto AsCheckpointError(const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
    throw Error(ErrorCode::kCheckpoint, error.message(), error.where(), error.hint());
  }
}

}  // namespace graticule
