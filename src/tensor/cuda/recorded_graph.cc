// Recorded work: a CUDA graph captured from the device's stream.
#include "base/log.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph {
namespace {

class RecordedGraph : public RecordedWork {
 public:
  RecordedGraph(CudaDevice& device, cudaGraphExec_t graph, std::multimap<size_t, void*> memory)
      : device_(device), graph_(graph), memory_(std::move(memory)) {}
  ~RecordedGraph() override {
    cudaStreamSynchronize(device_.stream());
    cudaGraphExecDestroy(graph_);
    device_.give_back(std::move(memory_));
  }
  void repeat() override {
    if (device_.ok()) device_.note(cudaGraphLaunch(graph_, device_.stream()), "cudaGraphLaunch");
  }

 private:
  CudaDevice& device_;
  cudaGraphExec_t graph_;
  std::multimap<size_t, void*> memory_;  // that its kernels use, by size
};

}  // namespace

std::unique_ptr<RecordedWork> CudaDevice::record(const std::function<void()>& queue) {
  if (!ok()) return nullptr;
  // Relaxed: an allocation from the driver is no part of the record and may happen during it.
  cudaError_t error = cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  if (error == cudaSuccess) {
    {
      std::lock_guard lock(mutex_);
      recording_ = true;
    }
    queue();
    error = cudaStreamEndCapture(stream_, &graph);
  }
  if (error == cudaSuccess) error = cudaGraphInstantiate(&executable, graph, 0);
  if (graph != nullptr) cudaGraphDestroy(graph);
  std::multimap<size_t, void*> memory;
  {
    std::lock_guard lock(mutex_);
    recording_ = false;
    memory.swap(recorded_);
  }
  if (error == cudaSuccess && ok()) return std::make_unique<RecordedGraph>(*this, executable, std::move(memory));
  log_warning("a step of the GPU could not be recorded and runs call by call: {}", cudaGetErrorString(error));
  cudaGetLastError();  // nothing ran, so nothing is broken
  give_back(std::move(memory));
  return nullptr;
}

}  // namespace glyph
