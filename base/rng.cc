#include "base/rng.h"

#include <cmath>

#include "base/error.h"
#include "base/philox.h"

namespace graticule {

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  PhiloxWords<1> words = {{{counter[0]}, {counter[1]}, {counter[2]}, {counter[3]}}};
  Philox4x32(words, key);
  return {words[0][0], words[1][0], words[2][0], words[3][0]};
}

Rng::Rng(uint64_t seed, RngKey key) {
  const auto purpose = static_cast<uint32_t>(key.purpose);
  GRATICULE_CHECK(key.epoch < (uint64_t{1} << 24) && key.index < (uint64_t{1} << 48) &&
                      key.view < (1u << 8) && purpose < (1u << 16),
                  "random key out of range");
  key_ = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  counter_ = {0, static_cast<uint32_t>(key.index), static_cast<uint32_t>(key.index >> 32) | purpose << 16,
              static_cast<uint32_t>(key.epoch) | key.view << 24};
}

void Rng::Refill() {
  block_ = Philox4x32(counter_, key_);
  GRATICULE_CHECK(++counter_[0] != 0, "more than 2^34 words drawn from one key");
  used_ = 0;
}

uint32_t Rng::NextU32() {
  if (used_ == 4) Refill();
  return block_[used_++];
}

uint64_t Rng::NextU64() {
  const uint64_t low = NextU32();
  return low | uint64_t{NextU32()} << 32;
}

double Rng::Uniform() { return static_cast<double>(NextU64() >> 11) * 0x1p-53; }

double Rng::Uniform(double lo, double hi) {
  const double value = lo + (hi - lo) * Uniform();
  return value < hi || !(lo < hi) ? value : std::nextafter(hi, lo);  // the sum may round up to hi
}

uint64_t Rng::Below(uint64_t n) {
  GRATICULE_CHECK(n > 0);
  // Lemire, "Fast random integer generation in an interval" (2019): multiply, reject the short first stripe.
  unsigned __int128 product = static_cast<unsigned __int128>(NextU64()) * n;
  if (static_cast<uint64_t>(product) < n) {
    const uint64_t stripe = -n % n;
    while (static_cast<uint64_t>(product) < stripe) product = static_cast<unsigned __int128>(NextU64()) * n;
  }
  return static_cast<uint64_t>(product >> 64);
}

double Rng::Normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));  // the argument lies in (0, 1]
  return radius * std::cos(2.0 * 3.14159265358979323846 * Uniform());
}

}  // namespace graticule
