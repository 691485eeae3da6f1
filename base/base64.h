// Bytes as text of RFC 4648, section 4, with padding. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace graticule {

std::string Base64(std::span<const uint8_t> bytes);

}  // namespace graticule
