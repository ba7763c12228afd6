// Recorded work: a CUDA graph captured from the device's stream.
#include "base/log.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph {
namespace {

class RecordedGraph : public RecordedWork {
 public:
  RecordedGraph(CudaDevice& device, cudaGraphExec_t graph) : device_(device), graph_(graph) {}
  ~RecordedGraph() override {
    cudaStreamSynchronize(device_.stream());
    cudaGraphExecDestroy(graph_);
    device_.forget_record();
  }
  void repeat() override {
    if (device_.ok()) device_.note(cudaGraphLaunch(graph_, device_.stream()), "cudaGraphLaunch");
  }

 private:
  CudaDevice& device_;
  cudaGraphExec_t graph_;
};

}  // namespace

std::unique_ptr<RecordedWork> CudaDevice::record(const std::function<void()>& queue) {
  if (!ok()) return nullptr;
  {
    std::lock_guard lock(mutex_);
    recording_thread_ = std::this_thread::get_id();
    ++num_records_;
  }
  // Relaxed: an allocation from the driver is no part of the record and may happen during it.
  cudaError_t error = cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  if (error == cudaSuccess) {
    queue();
    error = cudaStreamEndCapture(stream_, &graph);
  }
  if (error == cudaSuccess) error = cudaGraphInstantiate(&executable, graph, 0);
  if (graph != nullptr) cudaGraphDestroy(graph);
  {
    std::lock_guard lock(mutex_);
    recording_thread_ = {};
  }
  if (error == cudaSuccess && ok()) return std::make_unique<RecordedGraph>(*this, executable);
  log_warning("work of the GPU could not be recorded and runs call by call: {}", cudaGetErrorString(error));
  cudaGetLastError();  // nothing ran, so nothing is broken
  forget_record();
  return nullptr;
}

}  // namespace glyph
