// Section `comm:` of the configuration: how gradients are bucketed and reduced, and how long a rank waits for
// its peers. Plain values; Bind is the only source of names, ranges and help. Knows no torch, so that the
// light programs can check it.
#pragma once

#include <cstdint>
#include <string>

namespace graticule {

class Section;

struct CommConfig {
  std::string grad_dtype = "fp32";  // what travels: fp32, or bf16 (half the bytes, 8 bits of mantissa)
  double bucket_mb = 25;            // MiB; a bucket closes with the parameter that reaches this size
  double first_bucket_mb = 1;       // MiB; small, so that the first reduction starts early in backward
  double timeout_s = 600;           // a collective that takes longer is a lost peer
  bool overlap = true;              // reduce buckets while backward still runs

  void Bind(Section& section);
};

}  // namespace graticule
