#include "parallel/cuda/nccl_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>

namespace glyph {
namespace {

template <typename Function>
bool find(void* file, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(file, name));
  return function != nullptr;
}

bool find_all(void* file, NcclLibrary& nccl) {
  return find(file, "ncclGetVersion", nccl.get_version) && find(file, "ncclGetUniqueId", nccl.get_unique_id) &&
         find(file, "ncclCommInitRank", nccl.init_rank) && find(file, "ncclCommDestroy", nccl.destroy) &&
         find(file, "ncclCommAbort", nccl.abort) && find(file, "ncclAllReduce", nccl.all_reduce) &&
         find(file, "ncclAllGather", nccl.all_gather) && find(file, "ncclBroadcast", nccl.broadcast) &&
         find(file, "ncclSend", nccl.send) && find(file, "ncclRecv", nccl.receive) && find(file, "ncclGroupStart", nccl.group_start) &&
         find(file, "ncclGroupEnd", nccl.group_end) && find(file, "ncclGetErrorString", nccl.error_string);
}

}  // namespace

Result<const NcclLibrary*> NcclLibrary::open(const std::string& library) {
  static NcclLibrary nccl;
  static bool is_open = false;
  if (is_open) return &nccl;
  // Multicast through the switches needs rights that a container often lacks, and then fails in the middle of a start.
  setenv("NCCL_NVLS_ENABLE", "0", 0);
  void* const file = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (file == nullptr) {
    return not_found(fmt::format("tensor parallelism needs NCCL: {} was not found; install it, or name its folder in LD_LIBRARY_PATH", library));
  }
  if (!find_all(file, nccl)) return not_found(fmt::format("tensor parallelism needs NCCL 2.7 or newer: {} is older", library));
  is_open = true;
  return &nccl;
}

}  // namespace glyph
