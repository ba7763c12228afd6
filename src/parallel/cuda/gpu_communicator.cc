// Ranks on GPUs: NCCL for what is large, one kernel of our own for what is small and f32.
#include <cuda_bf16.h>
#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <mutex>

#include "base/check.h"
#include "base/log.h"
#include "parallel/communicator.h"
#include "parallel/cuda/nccl_library.h"
#include "parallel/cuda/one_shot.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph {
namespace {

constexpr int64_t kOneShotElements = 64 * 4096;  // the rows of a decode step; each GPU writes twice as many bytes to every other

NcclType nccl_type(DType type) {
  GLYPH_CHECK(!is_quantised(type) && type != DType::kI32);
  return type == DType::kBF16 ? NcclType::kBF16 : type == DType::kF16 ? NcclType::kF16 : NcclType::kF32;
}

size_t count_of(const ConstTensorView& x) {
  GLYPH_CHECK(x.dense());
  return static_cast<size_t>(x.shape().num_elements());
}

// A word in host memory that all GPUs see.
class AbortFlag {
 public:
  AbortFlag() {
    if (cudaHostAlloc(reinterpret_cast<void**>(&word_), sizeof(*word_), cudaHostAllocPortable | cudaHostAllocMapped) == cudaSuccess) *word_ = 0;
  }
  ~AbortFlag() { cudaFreeHost(word_); }
  AbortFlag(const AbortFlag&) = delete;
  AbortFlag& operator=(const AbortFlag&) = delete;

  const uint32_t* word() const { return word_; }
  void raise() const {
    if (word_ != nullptr) std::atomic_ref(*word_).store(1);
  }

 private:
  uint32_t* word_ = nullptr;
};

// A second stream of a device, for sums beside its work; they come first where both want multiprocessors.
class SideStream {
 public:
  explicit SideStream(CudaDevice& device) : device_(device) {
    int least = 0, greatest = 0;
    device.bind();
    device.note(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
    device.note(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest), "cudaStreamCreateWithPriority");
  }
  ~SideStream() {
    for (const cudaEvent_t event : idle_) cudaEventDestroy(event);
    for (const cudaEvent_t event : ends_) cudaEventDestroy(event);
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }
  SideStream(const SideStream&) = delete;
  SideStream& operator=(const SideStream&) = delete;

  cudaStream_t stream() const { return stream_; }
  // What follows on this stream waits for what is queued on the device's.
  void begin() { wait(stream_, device_.stream(), idle_event()); }
  // What was queued here since begin() is one piece.
  void end() {
    ends_.push_back(idle_event());
    idle_.pop_back();
    if (device_.ok()) device_.note(cudaEventRecord(ends_.back(), stream_), "cudaEventRecord");
  }
  // What follows on the device's stream waits for the first piece.
  void join_first() {
    GLYPH_CHECK(!ends_.empty());
    if (device_.ok()) device_.note(cudaStreamWaitEvent(device_.stream(), ends_.front()), "cudaStreamWaitEvent");
    idle_.push_back(ends_.front());
    ends_.pop_front();
  }

 private:
  void wait(cudaStream_t waiting, cudaStream_t working, cudaEvent_t event) {
    if (!device_.ok()) return;
    device_.note(cudaEventRecord(event, working), "cudaEventRecord");
    device_.note(cudaStreamWaitEvent(waiting, event), "cudaStreamWaitEvent");
  }
  // The last of those that nobody waits for; it stays among them.
  cudaEvent_t idle_event() {
    if (idle_.empty()) {
      device_.bind();
      device_.note(cudaEventCreateWithFlags(&idle_.emplace_back(), cudaEventDisableTiming), "cudaEventCreateWithFlags");
    }
    return idle_.back();
  }

  CudaDevice& device_;
  cudaStream_t stream_ = nullptr;
  std::vector<cudaEvent_t> idle_;
  std::deque<cudaEvent_t> ends_;
};

class GpuCommunicator : public Communicator {
 public:
  GpuCommunicator(int rank, int size, CudaDevice& device, const NcclLibrary& nccl, NcclConnection* connection)
      : Communicator(rank, size), device_(device), nccl_(nccl), connection_(connection), side_(device) {}
  ~GpuCommunicator() override {
    if (connection_ != nullptr) nccl_.destroy(connection_);
  }

  void all_reduce(const TensorView& x) override {
    if (fits_one_shot(x)) return one_shot(x, -1);
    call("ncclAllReduce", [&](NcclConnection* connection) {
      return nccl_.all_reduce(x.raw(), x.raw(), count_of(x), nccl_type(x.dtype()), kNcclSum, connection, device_.stream());
    });
  }
  bool all_reduce_add_norm(const SumAndNorm& sum) override {
    const bool two_at_once = sum.x.stride(0) % 2 == 0 && sum.out.stride(0) % 2 == 0 && sum.x.size(1) % 2 == 0 && aligned(sum.x) &&
                             aligned(sum.out) && aligned(sum.branch_weight) && aligned(sum.next_weight);
    if (!fits_one_shot(sum.branch) || !sum.branch.dense() || sum.x.size(1) > kMaxNormColumns || !two_at_once) return false;
    if (sum.out.dtype() == DType::kF32) one_shot_norm_of<float>(sum);
    else if (sum.out.dtype() == DType::kBF16) one_shot_norm_of<__nv_bfloat16>(sum);
    else return false;
    return true;
  }
  void begin_all_reduce(const TensorView& x) override {
    side_.begin();
    call("ncclAllReduce", [&](NcclConnection* connection) {
      return nccl_.all_reduce(x.raw(), x.raw(), count_of(x), nccl_type(x.dtype()), kNcclSum, connection, side_.stream());
    });
    side_.end();
  }
  void finish_all_reduce() override { side_.join_first(); }
  void broadcast(const TensorView& x) override {
    if (fits_one_shot(x)) return one_shot(x, 0);
    call("ncclBroadcast", [&](NcclConnection* connection) {
      return nccl_.broadcast(x.raw(), x.raw(), count_of(x), nccl_type(x.dtype()), 0, connection, device_.stream());
    });
  }
  void all_gather(const ConstTensorView& part, const TensorView& all) override {
    GLYPH_CHECK(all.dtype() == part.dtype() && count_of(all) == count_of(part) * static_cast<size_t>(size()));
    call("ncclAllGather", [&](NcclConnection* connection) {
      return nccl_.all_gather(part.raw(), all.raw(), count_of(part), nccl_type(part.dtype()), connection, device_.stream());
    });
  }
  void send(const ConstTensorView& x, int to) override {
    call("ncclSend", [&](NcclConnection* connection) {
      return nccl_.send(x.raw(), count_of(x), nccl_type(x.dtype()), to, connection, device_.stream());
    });
  }
  void receive(const TensorView& x, int from) override {
    call("ncclRecv", [&](NcclConnection* connection) {
      return nccl_.receive(x.raw(), count_of(x), nccl_type(x.dtype()), from, connection, device_.stream());
    });
  }

  void abort() override {
    if (abort_flag_ != nullptr) abort_flag_->raise();
    device_.note_failure("the GPUs that compute together have lost one of them");
    std::lock_guard lock(mutex_);
    if (connection_ != nullptr) nccl_.abort(connection_);
    connection_ = nullptr;
  }

  // Memory that the other ranks write to; null when there is none.
  uint4* make_inbox() {
    const auto bytes = static_cast<size_t>(2 * size() * kOneShotElements / 2) * sizeof(uint4);
    inbox_ = device_.allocate(bytes);
    state_ = device_.allocate(2 * sizeof(uint32_t));
    if (!device_.ok()) return nullptr;
    const uint32_t first[] = {1, 0};
    device_.note(cudaMemsetAsync(inbox_.get(), 0, bytes, device_.stream()), "cudaMemsetAsync");
    device_.upload(state_.get(), first, sizeof(first));
    device_.note(cudaStreamSynchronize(device_.stream()), "cudaStreamSynchronize");
    return static_cast<uint4*>(inbox_.get());
  }
  void use_inboxes(std::span<uint4* const> inboxes, std::shared_ptr<AbortFlag> abort_flag) {
    abort_flag_ = std::move(abort_flag);
    shot_ = {.inbox = {}, .state = static_cast<uint32_t*>(state_.get()), .aborted = abort_flag_->word(), .rank = rank(), .size = size(),
             .capacity = kOneShotElements / 2};
    std::copy(inboxes.begin(), inboxes.end(), shot_.inbox);
  }

 private:
  bool fits_one_shot(const ConstTensorView& x) const {
    const int64_t count = x.shape().num_elements();
    return shot_.size > 0 && x.dtype() == DType::kF32 && count % 2 == 0 && count <= kOneShotElements &&
           aligned(x);
  }
  static bool aligned(const ConstTensorView& x) { return reinterpret_cast<uintptr_t>(x.raw()) % sizeof(float2) == 0; }
  template <typename Out>
  void one_shot_norm_of(const SumAndNorm& sum) {
    if (!device_.ok()) return;
    const OneShotNorm<Out> norm{.branch = sum.branch.data<float>(),
                                .branch_weight = sum.branch_weight.data<float>(),
                                .next_weight = sum.next_weight.data<float>(),
                                .eps = sum.eps,
                                .x = sum.x.data<float>(),
                                .out = static_cast<Out*>(sum.out.raw()),
                                .x_stride = sum.x.stride(0),
                                .out_stride = sum.out.stride(0),
                                .rows = sum.x.size(0),
                                .n = sum.x.size(1)};
    device_.note(one_shot_norm(shot_, norm, device_.stream()), "one_shot_norm");
  }
  void one_shot(const TensorView& x, int root) {
    GLYPH_CHECK(x.dense());
    if (!device_.ok()) return;
    device_.note(one_shot_sum(shot_, x.data<float>(), x.shape().num_elements(), root, device_.num_multiprocessors(), device_.stream()),
                 "one_shot_sum");
  }
  template <typename Call>
  void call(const char* name, const Call& function) {
    if (!device_.ok()) return;
    std::lock_guard lock(mutex_);
    if (connection_ == nullptr) return;
    const int error = function(connection_);
    if (error != 0) device_.note_failure(fmt::format("{} failed: {}", name, nccl_.error_string(error)));
  }

  CudaDevice& device_;
  const NcclLibrary& nccl_;
  std::mutex mutex_;
  NcclConnection* connection_;  // guarded by mutex_; null: aborted
  SideStream side_;
  DeviceMemory inbox_, state_;
  std::shared_ptr<AbortFlag> abort_flag_;
  OneShot shot_;
};

// Whether every GPU can now write to every other's memory.
bool give_access(std::span<Device* const> devices) {
  for (Device* device : devices) {
    device->cuda().bind();
    for (Device* other : devices) {
      if (other == device) continue;
      int can = 0;
      if (cudaDeviceCanAccessPeer(&can, device->cuda().index(), other->cuda().index()) != cudaSuccess || can == 0) return false;
      const cudaError_t error = cudaDeviceEnablePeerAccess(other->cuda().index(), 0);
      cudaGetLastError();
      if (error != cudaSuccess && error != cudaErrorPeerAccessAlreadyEnabled) return false;
    }
  }
  return true;
}

Status join(const NcclLibrary& nccl, std::span<Device* const> devices, std::vector<NcclConnection*>& connections) {
  NcclId id{};
  connections.resize(devices.size());
  int error = nccl.get_unique_id(&id);
  if (error == 0) error = nccl.group_start();
  for (size_t rank = 0; error == 0 && rank < devices.size(); ++rank) {
    devices[rank]->cuda().bind();
    error = nccl.init_rank(&connections[rank], static_cast<int>(devices.size()), id, static_cast<int>(rank));
  }
  const int ended = nccl.group_end();
  if (error == 0) error = ended;
  return error == 0 ? Status() : not_found(fmt::format("the GPUs could not be connected by NCCL: {}", nccl.error_string(error)));
}

}  // namespace

Result<Communicators> connect_gpus(std::span<Device* const> devices, const ConnectOptions& options) {
  GLYPH_ASSIGN_OR_RETURN(const NcclLibrary* nccl, NcclLibrary::open());
  const auto size = static_cast<int>(devices.size());
  GLYPH_CHECK(size <= kMaxRanks);
  std::vector<NcclConnection*> connections;
  GLYPH_RETURN_IF_ERROR(join(*nccl, devices, connections));
  std::vector<std::unique_ptr<GpuCommunicator>> made;
  for (int rank = 0; rank < size; ++rank) {
    const auto index = static_cast<size_t>(rank);
    made.push_back(std::make_unique<GpuCommunicator>(rank, size, devices[index]->cuda(), *nccl, connections[index]));
  }
  const bool own_kernels = options.one_shot && is_one_shot_size(size);
  if (own_kernels && give_access(devices)) {
    std::vector<uint4*> inboxes;
    for (const auto& one : made) inboxes.push_back(one->make_inbox());
    const auto abort_flag = std::make_shared<AbortFlag>();
    for (const auto& one : made) one->use_inboxes(inboxes, abort_flag);
  } else if (own_kernels) {
    log_warning("the GPUs cannot reach each other's memory; small sums go through NCCL, which takes longer");
  }
  for (Device* device : devices) GLYPH_RETURN_IF_ERROR(device->take_status());
  return Communicators(std::make_move_iterator(made.begin()), std::make_move_iterator(made.end()));
}

}  // namespace glyph
