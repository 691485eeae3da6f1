// libgraticule_mpi.so: MPI behind the table of mpi_module.h. Built with OMPI_SKIP_MPICXX.
#include "trainer/comm/mpi_module.h"

#include <mpi.h>

#include <cstdio>
#include <cstring>
#include <iterator>
#include <mutex>

#include "base/comm/communicator.h"
#include "trainer/comm/host_reduce.h"

namespace graticule {
namespace {

// MPI runs at MPI_THREAD_SERIALIZED under this lock: the two issuing threads only ever post and test, which
// is short, and it is the mode that every MPI supports well.
std::mutex mpi_mutex;
MPI_Comm communicators[2] = {MPI_COMM_NULL, MPI_COMM_NULL};
MPI_Op bf16_operations[3] = {MPI_OP_NULL, MPI_OP_NULL, MPI_OP_NULL};
bool opened = false;

int Fail(int code, const char* doing, char* error) {
  if (code == MPI_SUCCESS) return 0;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  std::snprintf(error, kMpiErrorLength, "%s: %s", doing, text);
  return 1;
}

template <ReduceOp kOp>
void ReduceBf16(void* in, void* inout, int* count, MPI_Datatype*) {
  ReduceInto(inout, in, static_cast<size_t>(*count), DType::kBF16, kOp);
}

MPI_Datatype TypeOf(int dtype) {
  switch (static_cast<DType>(dtype)) {
    case DType::kU8:
      return MPI_UINT8_T;
    case DType::kI32:
      return MPI_INT32_T;
    case DType::kI64:
      return MPI_INT64_T;
    case DType::kU64:
      return MPI_UINT64_T;
    case DType::kF32:
      return MPI_FLOAT;
    case DType::kF64:
      return MPI_DOUBLE;
    case DType::kBF16:
      return MPI_UINT16_T;
  }
  return MPI_DATATYPE_NULL;
}

MPI_Op OperationOf(int dtype, int op) {
  if (static_cast<DType>(dtype) == DType::kBF16) return bf16_operations[op];
  switch (static_cast<ReduceOp>(op)) {
    case ReduceOp::kSum:
      return MPI_SUM;
    case ReduceOp::kMin:
      return MPI_MIN;
    case ReduceOp::kMax:
      return MPI_MAX;
  }
  return MPI_OP_NULL;
}

int Open(MpiWorldInfo* info, char* error) {
  const std::lock_guard lock(mpi_mutex);
  int provided = 0;
  if (Fail(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread", error))
    return 1;
  opened = true;
  if (provided < MPI_THREAD_SERIALIZED) {
    std::snprintf(error, kMpiErrorLength,
                  "this MPI offers thread level %d, MPI_THREAD_SERIALIZED (%d) is needed", provided,
                  MPI_THREAD_SERIALIZED);
    return 1;
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &info->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &info->size);
  for (MPI_Comm& communicator : communicators) {
    if (Fail(MPI_Comm_dup(MPI_COMM_WORLD, &communicator), "MPI_Comm_dup", error)) return 1;
  }
  MPI_Comm node = MPI_COMM_NULL;
  if (Fail(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, info->rank, MPI_INFO_NULL, &node),
           "MPI_Comm_split_type", error)) {
    return 1;
  }
  MPI_Comm_rank(node, &info->local_rank);
  MPI_Comm_size(node, &info->local_size);
  MPI_Comm_free(&node);
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  MPI_Get_processor_name(host, &length);
  std::snprintf(info->host, sizeof info->host, "%.*s", length, host);
  MPI_User_function* functions[] = {ReduceBf16<ReduceOp::kSum>, ReduceBf16<ReduceOp::kMin>,
                                    ReduceBf16<ReduceOp::kMax>};
  for (size_t i = 0; i < std::size(functions); ++i) {
    if (Fail(MPI_Op_create(functions[i], 1, &bf16_operations[i]), "MPI_Op_create", error)) return 1;
  }
  return 0;
}

int Start(int which, const MpiOperation* o, void** request_out, char* error) {
  const std::lock_guard lock(mpi_mutex);
  MPI_Comm comm = communicators[which];
  const MPI_Datatype type = TypeOf(o->dtype);
  const int count = static_cast<int>(o->count);
  auto* request = new MPI_Request(MPI_REQUEST_NULL);
  int code = MPI_ERR_OTHER;
  const char* doing = "unknown call";
  switch (static_cast<MpiCall>(o->call)) {
    case kMpiAllReduce:
      doing = "MPI_Iallreduce";
      code = MPI_Iallreduce(MPI_IN_PLACE, o->data, count, type, OperationOf(o->dtype, o->op), comm, request);
      break;
    case kMpiAllGather:
      doing = "MPI_Iallgather";
      code = MPI_Iallgather(o->send, count, type, o->data, count, type, comm, request);
      break;
    case kMpiReduceScatter:
      doing = "MPI_Ireduce_scatter_block";
      code = MPI_Ireduce_scatter_block(o->send, o->data, count, type, OperationOf(o->dtype, o->op), comm,
                                       request);
      break;
    case kMpiBroadcast:
      doing = "MPI_Ibcast";
      code = MPI_Ibcast(o->data, count, type, o->root, comm, request);
      break;
    case kMpiBarrier:
      doing = "MPI_Ibarrier";
      code = MPI_Ibarrier(comm, request);
      break;
  }
  if (Fail(code, doing, error)) {
    delete request;
    return 1;
  }
  *request_out = request;
  return 0;
}

int Test(void* handle, int* done, char* error) {
  const std::lock_guard lock(mpi_mutex);
  auto* request = static_cast<MPI_Request*>(handle);
  if (Fail(MPI_Test(request, done, MPI_STATUS_IGNORE), "MPI_Test", error)) {
    delete request;
    return 1;
  }
  if (*done) delete request;
  return 0;
}

int Close(char* error) {
  const std::lock_guard lock(mpi_mutex);
  if (!opened) return 0;
  opened = false;
  for (MPI_Op& operation : bf16_operations) MPI_Op_free(&operation);
  for (MPI_Comm& communicator : communicators) MPI_Comm_free(&communicator);
  return Fail(MPI_Finalize(), "MPI_Finalize", error);
}

// Takes no lock: a thread that is stuck inside MPI must not keep the job alive.
void Abort(int exit_code) { MPI_Abort(MPI_COMM_WORLD, exit_code); }

const char* LibraryVersion() {
  static char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  if (char* comma = std::strchr(text, ',')) *comma = 0;
  return text;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const MpiTable* graticule_mpi_module() {
  static const MpiTable table = {kMpiModuleVersion, Open, Start, Test, Close, Abort, LibraryVersion};
  return &table;
}

}  // namespace graticule
