#include "trainer/comm/host_reduce.h"

#include <type_traits>

namespace graticule {
namespace {

template <typename T>
T Combine(T a, T b, ReduceOp op) {
  if (op == ReduceOp::kSum) return static_cast<T>(a + b);
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) ? a : b;
  }
  if (op == ReduceOp::kMin) return b < a ? b : a;
  return a < b ? b : a;
}

template <typename T>
void Reduce(void* into, const void* from, size_t count, ReduceOp op) {
  T* a = static_cast<T*>(into);
  const T* b = static_cast<const T*>(from);
  for (size_t i = 0; i < count; ++i) a[i] = Combine(a[i], b[i], op);
}

void ReduceBf16(void* into, const void* from, size_t count, ReduceOp op) {
  uint16_t* a = static_cast<uint16_t*>(into);
  const uint16_t* b = static_cast<const uint16_t*>(from);
  for (size_t i = 0; i < count; ++i) a[i] = FloatToBf16(Combine(Bf16ToFloat(a[i]), Bf16ToFloat(b[i]), op));
}

}  // namespace

void ReduceInto(void* into, const void* from, size_t count, DType dtype, ReduceOp op) {
  switch (dtype) {
    case DType::kU8:
      return Reduce<uint8_t>(into, from, count, op);
    case DType::kI32:
      return Reduce<int32_t>(into, from, count, op);
    case DType::kI64:
      return Reduce<int64_t>(into, from, count, op);
    case DType::kU64:
      return Reduce<uint64_t>(into, from, count, op);
    case DType::kF32:
      return Reduce<float>(into, from, count, op);
    case DType::kF64:
      return Reduce<double>(into, from, count, op);
    case DType::kBF16:
      return ReduceBf16(into, from, count, op);
  }
}

}  // namespace graticule
