#include "tensor/cuda/cuda_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace glyph {
namespace {

constexpr size_t kSmallUnit = 512;                    // sizes are rounded up to these
constexpr size_t kLargeUnit = size_t{2} << 20;        // the driver's own page
constexpr size_t kSmallLimit = size_t{1} << 20;
constexpr double kMiB = 1024.0 * 1024.0;

size_t rounded(size_t num_bytes) {
  const size_t unit = num_bytes < kSmallLimit ? kSmallUnit : kLargeUnit;
  return std::max(unit, (num_bytes + unit - 1) / unit * unit);
}

}  // namespace

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(const CudaOptions& options) {
  std::unique_ptr<CudaDevice> device(new CudaDevice(options.index));
  GLYPH_RETURN_IF_ERROR(device->start());
  return device;
}

Status CudaDevice::start() {
  cudaDeviceProp properties{};
  note(cudaSetDevice(index_), "cudaSetDevice");
  note(cudaGetDeviceProperties(&properties, index_), "cudaGetDeviceProperties");
  if (!ok()) return take_status();
  name_ = properties.name;
  num_multiprocessors_ = properties.multiProcessorCount;
  architecture_ = properties.major * 10 + properties.minor;
  total_bytes_ = properties.totalGlobalMem;
  max_shared_bytes_ = properties.sharedMemPerBlockOptin;
  if (architecture_ < kLeastGpuArchitecture) {
    return not_found(fmt::format("{} has compute capability {}.{}; 8.0 or newer is needed", name_,
                                 properties.major, properties.minor));
  }
  note(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  note(cublasLtCreate(&blas_), "cublasLtCreate");
  for (StagingHalf& half : staging_) {
    note(cudaMallocHost(reinterpret_cast<void**>(&half.memory), kStagingBytes), "cudaMallocHost");
    note(cudaEventCreateWithFlags(&half.done, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  }
  blas_workspace_ = allocate(kBlasWorkspaceBytes);
  return take_status();
}

CudaDevice::~CudaDevice() {
  bind();
  if (stream_ != nullptr) cudaStreamSynchronize(stream_);
  states_.clear();
  blas_workspace_.reset();
  for (const auto& [memory, size] : sizes_) cudaFree(memory);
  for (const StagingHalf& half : staging_) {
    if (half.done != nullptr) cudaEventDestroy(half.done);
    if (half.memory != nullptr) cudaFreeHost(half.memory);
  }
  if (blas_ != nullptr) cublasLtDestroy(blas_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
  if (final_) cudaDeviceReset();  // what broke stays with the process's context: the next device gets a new one
}

std::string CudaDevice::description() const {
  return fmt::format("{}, {:.0f} GiB, compute capability {}.{}", name_,
                     static_cast<double>(total_bytes_) / kMiB / 1024.0, architecture_ / 10,
                     architecture_ % 10);
}

std::string CudaDevice::versions() const {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  return fmt::format("driver for CUDA {}.{}, runtime {}.{}, cuBLASLt {}", driver / 1000, driver % 1000 / 10, runtime / 1000,
                     runtime % 1000 / 10, cublasLtGetVersion());
}

void CudaDevice::note(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  const bool out_of_memory = error == cudaErrorMemoryAllocation;
  const std::string text =
      fmt::format("the GPU reports an error: {} ({}: {})", cudaGetErrorString(error), what,
                  cudaGetErrorName(error));
  std::lock_guard lock(mutex_);
  if (error_.ok()) error_ = out_of_memory ? exhausted(text) : internal_error(text);
  if (!out_of_memory) final_ = true;
}

void CudaDevice::note(cublasStatus_t error, const char* what) {
  if (error == CUBLAS_STATUS_SUCCESS) return;
  note_failure(fmt::format("{} failed: {}", what, cublasLtGetStatusString(error)));
}

void CudaDevice::note_failure(const std::string& sentence) {
  std::lock_guard lock(mutex_);
  if (error_.ok()) error_ = internal_error(sentence);
  final_ = true;
}

bool CudaDevice::ok() const {
  bind();
  std::lock_guard lock(mutex_);
  return error_.ok();
}

Status CudaDevice::take_status() {
  bind();
  note(cudaGetLastError(), "kernel");
  std::lock_guard lock(mutex_);
  const Status status = error_;
  if (!final_) error_ = Status();
  return status;
}

Status CudaDevice::lost() const {
  std::lock_guard lock(mutex_);
  return final_ ? error_ : Status();
}

size_t CudaDevice::num_bytes_held() const {
  std::lock_guard lock(mutex_);
  return held_bytes_;
}

void* CudaDevice::allocate_bytes(size_t num_bytes) {
  const size_t size = rounded(num_bytes);
  std::lock_guard lock(mutex_);
  if (recording_thread_ == std::this_thread::get_id()) {
    if (void* memory = take_free(recorded_, size)) return memory;
  }
  if (void* memory = take_free(cached_, size)) return memory;
  cudaSetDevice(index_);
  void* memory = nullptr;
  cudaError_t error = cudaMalloc(&memory, size);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it would be reported again by the next launch
    release_cached();
    error = cudaMalloc(&memory, size);
  }
  if (error != cudaSuccess) {
    cudaGetLastError();
    const bool out_of_memory = error == cudaErrorMemoryAllocation;
    const std::string text =
        out_of_memory
            ? fmt::format("the GPU has no room for {:.1f} MiB more; {:.1f} MiB are in use by this program",
                          static_cast<double>(size) / kMiB, static_cast<double>(held_bytes_) / kMiB)
            : fmt::format("the GPU reports an error: {} (cudaMalloc)", cudaGetErrorString(error));
    if (error_.ok()) error_ = out_of_memory ? exhausted(text) : internal_error(text);
    if (!out_of_memory) final_ = true;
    return nullptr;
  }
  sizes_[memory] = size;
  held_bytes_ += size;
  return memory;
}

// Called with mutex_ held. The smallest piece that wastes less than a quarter, or null.
void* CudaDevice::take_free(std::multimap<size_t, void*>& from, size_t size) {
  const auto found = from.lower_bound(size);
  if (found == from.end() || found->first > size + size / 4) return nullptr;
  void* memory = found->second;
  from.erase(found);
  return memory;
}

void CudaDevice::forget_record() {
  std::lock_guard lock(mutex_);
  if (--num_records_ == 0) cached_.merge(recorded_);
}

// Called with mutex_ held. cudaFree waits for the device, so nothing that is freed is still in use.
void CudaDevice::release_cached() {
  for (const auto& [size, memory] : cached_) {
    cudaFree(memory);
    sizes_.erase(memory);
    held_bytes_ -= size;
  }
  cached_.clear();
}

void CudaDevice::free_bytes(void* memory) {
  std::lock_guard lock(mutex_);
  const auto found = sizes_.find(memory);
  GLYPH_CHECK(found != sizes_.end());
  const bool recording = recording_thread_ == std::this_thread::get_id();
  (recording ? recorded_ : cached_).emplace(found->second, memory);
}

void CudaDevice::copy_bytes(void* to, const void* from, size_t num_bytes) {
  if (!ok() || num_bytes == 0) return;
  note(cudaMemcpyAsync(to, from, num_bytes, cudaMemcpyDeviceToDevice, stream_), "cudaMemcpyAsync");
}

std::byte* CudaDevice::stage(size_t num_bytes) {
  if (staging_used_ + num_bytes > kStagingBytes) {
    note(cudaEventRecord(staging_[staging_half_].done, stream_), "cudaEventRecord");
    staging_half_ ^= 1;
    staging_used_ = 0;
    note(cudaEventSynchronize(staging_[staging_half_].done), "cudaEventSynchronize");
  }
  constexpr size_t kAlignment = 64;
  std::byte* place = staging_[staging_half_].memory + staging_used_;
  staging_used_ += (num_bytes + kAlignment - 1) / kAlignment * kAlignment;
  return place;
}

// Weights come from files that are mapped: one thread alone does not copy, and take in their pages, as fast as the bus takes them (55 GB/s).
void CudaDevice::copy_to_staging(std::byte* to, const std::byte* from, size_t num_bytes) {
  if (num_bytes < kSharedCopyBytes) {
    std::memcpy(to, from, num_bytes);
    return;
  }
  if (copiers_ == nullptr) copiers_ = std::make_unique<ThreadPool>(std::min<int>(kCopiers, static_cast<int>(std::thread::hardware_concurrency())), "glyph-upload");
  copiers_->parallel_for(num_bytes, kSharedCopyBytes / kCopiers, [&](size_t begin, size_t end) { std::memcpy(to + begin, from + begin, end - begin); });
}

void CudaDevice::upload(void* to, const void* from, size_t num_bytes) {
  const auto* bytes = static_cast<const std::byte*>(from);
  auto* target = static_cast<std::byte*>(to);
  constexpr size_t kPiece = kStagingBytes / 2;
  for (size_t done = 0; done < num_bytes && ok();) {
    const size_t count = std::min(kPiece, num_bytes - done);
    std::byte* place = stage(count);
    copy_to_staging(place, bytes + done, count);
    note(cudaMemcpyAsync(target + done, place, count, cudaMemcpyHostToDevice, stream_), "upload");
    done += count;
  }
}

// Little passes through pinned memory: for any other the driver does that itself, and takes longer.
void CudaDevice::download(void* to, const void* from, size_t num_bytes) {
  constexpr size_t kMaxStaged = size_t{1} << 20;
  void* place = to;
  if (ok() && num_bytes > 0) {
    if (num_bytes <= kMaxStaged) place = stage(num_bytes);
    note(cudaMemcpyAsync(place, from, num_bytes, cudaMemcpyDeviceToHost, stream_), "download");
  }
  if (ok()) note(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  if (!ok()) std::memset(to, 0, num_bytes);
  else if (place != to) std::memcpy(to, place, num_bytes);
}

}  // namespace glyph
