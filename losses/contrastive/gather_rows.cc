#include "losses/contrastive/gather_rows.h"

#include <ATen/ops/empty.h>

#include <vector>

#include "base/error.h"

namespace graticule {
namespace {

DType DTypeOf(const at::Tensor& t) {
  GRATICULE_CHECK(t.scalar_type() == at::kFloat || t.scalar_type() == at::kDouble);
  return t.scalar_type() == at::kFloat ? DType::kF32 : DType::kF64;
}

}  // namespace

at::Tensor GatherRowsCollective(const at::Tensor& own_RD, Communicator& comm, StreamHandle stream) {
  if (comm.world_size() == 1) return own_RD;
  const at::Tensor send = own_RD.contiguous();
  std::vector<int64_t> shape = send.sizes().vec();
  shape[0] *= comm.world_size();
  at::Tensor all = at::empty(shape, send.options());
  comm.AllGather(send.const_data_ptr(), all.mutable_data_ptr(), static_cast<size_t>(send.numel()),
                 DTypeOf(send), stream)
      ->WaitOn(stream);
  return all;
}

}  // namespace graticule
