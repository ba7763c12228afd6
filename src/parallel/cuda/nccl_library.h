// NCCL as the few functions that are used here, of libnccl.so.2, which is opened when it is first asked for: nothing is needed to
// build this, and a machine without the library just has no tensor parallelism. Reference: nccl.h; these have been the same since 2.7.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "glyph/status.h"

namespace glyph {

// ncclComm_t
struct NcclConnection;

struct NcclId {
  char bytes[128];
};

// ncclDataType_t and ncclRedOp_t
enum class NcclType : int { kF16 = 6, kF32 = 7, kBF16 = 9 };
constexpr int kNcclSum = 0;

// Each returns 0 on success (ncclResult_t).
struct NcclLibrary {
  int (*get_version)(int* version);
  int (*get_unique_id)(NcclId* id);
  int (*init_rank)(NcclConnection** connection, int size, NcclId id, int rank);
  int (*destroy)(NcclConnection* connection);
  int (*abort)(NcclConnection* connection);
  int (*all_reduce)(const void* from, void* to, size_t count, NcclType type, int sum, NcclConnection* connection, cudaStream_t stream);
  int (*all_gather)(const void* from, void* to, size_t count, NcclType type, NcclConnection* connection, cudaStream_t stream);
  int (*broadcast)(const void* from, void* to, size_t count, NcclType type, int root, NcclConnection* connection, cudaStream_t stream);
  int (*send)(const void* from, size_t count, NcclType type, int to, NcclConnection* connection, cudaStream_t stream);
  int (*receive)(void* to, size_t count, NcclType type, int from, NcclConnection* connection, cudaStream_t stream);
  int (*group_start)();
  int (*group_end)();
  const char* (*error_string)(int error);

  // kNotFound, in one sentence: there is no such library, or it is another one. Stays open for the life of the process.
  static Result<const NcclLibrary*> open(const std::string& library = "libnccl.so.2");
};

}  // namespace glyph
