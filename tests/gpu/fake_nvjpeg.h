// What jpeg_host_check knows of tests/gpu/fake_nvjpeg.cc.
#pragma once

namespace graticule {

inline constexpr int kSkippedWidth = 333;

}  // namespace graticule
