// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC'11). Every draw is a pure function of
// (seed, epoch, index, view, purpose); it never depends on rank, thread or restart (docs/DETERMINISM.md).
//
//   Rng rng(seed, {.epoch = e, .index = position, .view = 0, .purpose = Purpose::kCrop});
//   double u = rng.Uniform();
//
// Packing (stored behaviour): key = {seed low, seed high}; counter = {block number, index low 32 bits,
// index high 16 bits | purpose << 16, epoch | view << 24}. 64-bit draws take the lower word first.
//
// Value type, not shared between threads; copying forks an identical stream.
#pragma once

#include <array>
#include <cstdint>

namespace graticule {

// What a draw is for. Values are stored behaviour: never renumber, only append.
enum class Purpose : uint32_t {
  kOrder = 1,
  kCrop = 2,
  kColour = 3,
  kInit = 4,
  kDropout = 5,
  kSplit = 6,
  kSynth = 7,
  kSample = 8,
  kNoise = 9,
  kTest = 10,
  kBaseline = 11,
  kBlock = 12,
  kMixture = 13,
  kDraw = 14,
  kVariogram = 15,
  kPlaceNoise = 16,
  kQueueNoise = 17,
  kQueueFill = 18,
  kNegatives = 19,
  kTriplet = 20,
  kNeighbours = 21,
};

// One Philox4x32-10 block; the known-answer vectors of Random123 hold for it.
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

struct RngKey {
  uint64_t epoch = 0;                // < 2^24
  uint64_t index = 0;                // global position or record, < 2^48
  uint32_t view = 0;                 // < 2^8
  Purpose purpose = Purpose::kTest;  // < 2^16
};

class Rng {
 public:
  Rng(uint64_t seed, RngKey key);
  uint32_t NextU32();
  uint64_t NextU64();
  double Uniform();                      // [0, 1), 53 bits
  double Uniform(double lo, double hi);  // [lo, hi)
  uint64_t Below(uint64_t n);            // [0, n), unbiased; n > 0
  double Normal();                       // standard normal, Box-Muller, platform-independent to 1 ulp

 private:
  void Refill();
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace graticule
