// One GPU: its memory, one stream, and what the CUDA ops share.
//
// Errors. An op never throws or aborts on a CUDA error: note() keeps the first one, later calls do nothing, and
// take_status() reports it where a pass ends. Running out of memory is forgotten by take_status() (that pass
// failed, the next may succeed); anything else is final for the device, whose owner opens a new one.
//
// Threads. allocate() and freeing: any thread. Everything that queues work (ops, upload, download): one thread
// at a time. Memory that is freed may be handed out again at once: all work runs in the order of one stream.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <typeindex>
#include <unordered_map>

#include "base/thread_pool.h"
#include "tensor/cuda_backend.h"
#include "tensor/device.h"

namespace glyph {

class CudaDevice : public Device {
 public:
  // kNotFound: no driver, no such GPU, or one older than sm_80.
  static Result<std::unique_ptr<CudaDevice>> open(const CudaOptions& options);
  ~CudaDevice() override;

  std::string description() const override;
  std::string versions() const override;
  bool prefers_bf16() const override { return true; }
  void copy_bytes(void* to, const void* from, size_t num_bytes) override;
  void upload(void* to, const void* from, size_t num_bytes) override;
  void download(void* to, const void* from, size_t num_bytes) override;
  std::unique_ptr<Device> pinned_host() override;
  bool queue_download(void* to, const void* from, size_t num_bytes) override;
  bool queue_upload(void* to, const void* from, size_t num_bytes) override;
  Status take_status() override;
  Status lost() const override;
  std::unique_ptr<DeviceMark> mark() override;
  std::unique_ptr<RecordedWork> record(const std::function<void()>& queue) override;

  // A record of this device is gone; with the last one, the memory that records use is free for anything.
  void forget_record();

  // Keeps `error` unless it is a success; `what` names the call in the message.
  void note(cudaError_t error, const char* what);
  void note(cublasStatus_t error, const char* what);
  // Any other library's: a sentence.
  void note_failure(const std::string& sentence);
  // After a kernel launch.
  void note_launch(const char* kernel) { note(cudaGetLastError(), kernel); }
  // False after an error: launch nothing, memory may be missing. Binds the thread.
  bool ok() const;
  // The runtime calls of this thread are for this GPU from now on: with several, every op begins with it.
  void bind() const { cudaSetDevice(index_); }
  int index() const { return index_; }

  // Binds the thread.
  cudaStream_t stream() const {
    bind();
    return stream_;
  }
  cublasLtHandle_t blas() const { return blas_; }
  void* blas_workspace() const { return blas_workspace_.get(); }
  size_t blas_workspace_bytes() const { return blas_workspace_ == nullptr ? 0 : kBlasWorkspaceBytes; }
  // What an op keeps between calls (chosen algorithms, plans of a library): one T for each device, made with
  // T() at the first call. Only from the thread that queues work.
  template <typename T>
  T& state() {
    std::shared_ptr<void>& slot = states_[std::type_index(typeid(T))];
    if (slot == nullptr) slot = std::make_shared<T>();
    return *static_cast<T*>(slot.get());
  }
  int num_multiprocessors() const { return num_multiprocessors_; }
  int architecture() const { return architecture_; }  // 80, 89, 90, ...
  size_t max_shared_bytes() const { return max_shared_bytes_; }  // a block may ask for
  size_t num_bytes_held() const;                                 // allocated from the driver, in use or not

 protected:
  void* allocate_bytes(size_t num_bytes) override;
  void free_bytes(void* memory) override;

 private:
  static constexpr size_t kBlasWorkspaceBytes = size_t{64} << 20;
  static constexpr size_t kStagingBytes = size_t{8} << 20;  // of each half
  static constexpr size_t kSharedCopyBytes = size_t{1} << 20;  // and more are copied by several threads
  static constexpr int kCopiers = 6;

  explicit CudaDevice(int index) : Device(DeviceKind::kCuda), index_(index) {}
  Status start();
  std::byte* stage(size_t num_bytes);
  void copy_to_staging(std::byte* to, const std::byte* from, size_t num_bytes);
  void release_cached();
  void* take_free(std::multimap<size_t, void*>& from, size_t size);

  const int index_;
  std::string name_;
  int num_multiprocessors_ = 0;
  int architecture_ = 0;
  size_t total_bytes_ = 0;
  size_t max_shared_bytes_ = 0;
  cudaStream_t stream_ = nullptr;
  cublasLtHandle_t blas_ = nullptr;
  DeviceMemory blas_workspace_;
  std::unordered_map<std::type_index, std::shared_ptr<void>> states_;

  // Pinned memory that small uploads pass through, so that the caller's bytes may change at once: two halves,
  // each reused when the copies out of it are done.
  struct StagingHalf {
    std::byte* memory = nullptr;
    cudaEvent_t done = nullptr;
  };
  std::array<StagingHalf, 2> staging_;
  size_t staging_half_ = 0;
  size_t staging_used_ = 0;  // bytes of this half
  std::unique_ptr<ThreadPool> copiers_;  // made by the first large upload

  mutable std::mutex mutex_;
  Status error_;                            // guarded by mutex_: the first error
  bool final_ = false;                      // guarded by mutex_: the error stays
  std::multimap<size_t, void*> cached_;     // guarded by mutex_: free memory by size
  std::unordered_map<void*, size_t> sizes_;  // guarded by mutex_: of all memory held
  size_t held_bytes_ = 0;                   // guarded by mutex_
  std::thread::id recording_thread_;        // guarded by mutex_: the one that records now
  std::multimap<size_t, void*> recorded_;   // guarded by mutex_: memory that only records use, all of them the same:
                                            // they run one after another and leave nothing in it
  int num_records_ = 0;                     // guarded by mutex_
};

}  // namespace glyph
