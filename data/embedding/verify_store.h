// Checks an embedding store from its manifest down to the CRC of every page.
//
// Goes on after a problem, so that one run lists them all. One thread. Throws Error(kData) only when there is
// no readable manifest.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace graticule {

// Whether the folder holds a store, finished or not, rather than a dataset.
bool IsEmbeddingStore(const std::string& folder);

struct StoreCheck {
  int64_t parts = 0, rows = 0, valid = 0;
  uint64_t bytes = 0;
  std::vector<std::string> problems;
};

// hashes: SHA-256 of whole files too. progress: parts done, of so many.
StoreCheck VerifyStore(const std::string& folder, bool hashes,
                       const std::function<void(int64_t done, int64_t total)>& progress = {});

}  // namespace graticule
