#include "models/tensor_io.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>

#include "base/error.h"
#include "base/hash.h"

namespace graticule {
namespace {

constexpr std::array<std::pair<SafeDType, at::ScalarType>, 13> kTypes = {{
    {SafeDType::kBool, at::kBool},
    {SafeDType::kU8, at::kByte},
    {SafeDType::kI8, at::kChar},
    {SafeDType::kU16, at::kUInt16},
    {SafeDType::kI16, at::kShort},
    {SafeDType::kU32, at::kUInt32},
    {SafeDType::kI32, at::kInt},
    {SafeDType::kU64, at::kUInt64},
    {SafeDType::kI64, at::kLong},
    {SafeDType::kF16, at::kHalf},
    {SafeDType::kBF16, at::kBFloat16},
    {SafeDType::kF32, at::kFloat},
    {SafeDType::kF64, at::kDouble},
}};

}  // namespace

at::ScalarType ScalarTypeOf(SafeDType dtype) {
  for (const auto& [safe, type] : kTypes)
    if (safe == dtype) return type;
  throw Error(ErrorCode::kBug, "unknown safetensors dtype");
}

SafeDType SafeDTypeOf(at::ScalarType wanted) {
  for (const auto& [safe, type] : kTypes)
    if (type == wanted) return safe;
  throw Error(ErrorCode::kBug, fmt::format("{} has no safetensors dtype", c10::toString(wanted)));
}

std::string TensorsSha256(const std::string& about, std::span<const NamedTensor> tensors) {
  Sha256 hash;
  hash.Update(about);
  for (const NamedTensor& named : tensors) {
    hash.Update(fmt::format("{} {}\n", named.name, fmt::join(named.tensor.sizes(), "x")));
    const at::Tensor values = named.tensor.detach().to(at::kCPU, at::kFloat).contiguous();
    hash.Update(values.const_data_ptr<float>(), static_cast<size_t>(values.numel()) * sizeof(float));
  }
  return hash.HexDigest();
}

at::Tensor CopyToTensor(const TensorView& view) {
  at::Tensor tensor = at::empty(view.shape, ScalarTypeOf(view.dtype));
  GRATICULE_CHECK(tensor.nbytes() == view.bytes);
  if (view.bytes > 0) std::memcpy(tensor.data_ptr(), view.data, view.bytes);
  return tensor;
}

at::Tensor CopyToTensor(const SafetensorsFile& file, const TensorView& view) {
  at::Tensor tensor = at::empty(view.shape, ScalarTypeOf(view.dtype));
  GRATICULE_CHECK(tensor.nbytes() == view.bytes);
  file.Copy(view, 0, {static_cast<uint8_t*>(tensor.data_ptr()), view.bytes});
  return tensor;
}

TensorView ViewOf(const at::Tensor& tensor) {
  GRATICULE_CHECK(tensor.is_cpu() && tensor.is_contiguous());
  return {SafeDTypeOf(tensor.scalar_type()), tensor.sizes().vec(),
          static_cast<const uint8_t*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace graticule
