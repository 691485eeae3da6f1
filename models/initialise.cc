#include "models/initialise.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "base/error.h"
#include "base/rng.h"

namespace graticule {
namespace {

constexpr int64_t kBlock = 4096;

// FNV-1a, folded to the 48 bits that RngKey::index holds.
uint64_t KeyOf(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return (hash ^ (hash >> 48)) & ((uint64_t{1} << 48) - 1);
}

template <typename Draw>
void Fill(at::Tensor& tensor, uint64_t seed, std::string_view name, const Draw& draw) {
  GRATICULE_CHECK(tensor.is_contiguous() && tensor.scalar_type() == at::kFloat && tensor.is_cpu());
  float* values = static_cast<float*>(tensor.data_ptr());
  const int64_t count = tensor.numel(), blocks = (count + kBlock - 1) / kBlock;
  const uint64_t key = KeyOf(name);
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      Rng rng(seed, {.epoch = static_cast<uint64_t>(block), .index = key, .purpose = Purpose::kInit});
      const int64_t last = std::min(count, (block + 1) * kBlock);
      for (int64_t i = block * kBlock; i < last; ++i) values[i] = static_cast<float>(draw(rng));
    }
  });
}

}  // namespace

void FillNormal(at::Tensor& tensor, double standard_deviation, uint64_t seed, std::string_view name) {
  Fill(tensor, seed, name, [=](Rng& rng) { return standard_deviation * rng.Normal(); });
}

void FillUniform(at::Tensor& tensor, double bound, uint64_t seed, std::string_view name) {
  Fill(tensor, seed, name, [=](Rng& rng) { return rng.Uniform(-bound, bound); });
}

}  // namespace graticule
