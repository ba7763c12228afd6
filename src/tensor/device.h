// Device: where tensors live and who computes on them. Ops take a Device and choose their implementation by
// its kind, so the models are written once; another kind of device adds a folder under tensor/ and ops/ and
// no #ifdef.
//
// What a GPU cannot do fails later: ops only queue work. The device keeps the first error, ops after it do
// nothing, and whoever runs a pass (a model) asks take_status() at its end.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "glyph/status.h"

namespace glyph {

class CpuDevice;
class CudaDevice;
class Device;

enum class DeviceKind {
  kReference,  // plain loops with double sums on the host: the specification, for tests
  kCpu,        // vector and matrix units of the host, all threads
  kCuda,       // one GPU; its memory is out of the host's reach
};

struct DeviceMemoryDeleter {
  Device* device = nullptr;
  void operator()(void* memory) const;
};
using DeviceMemory = std::unique_ptr<void, DeviceMemoryDeleter>;

// Work of a device that was queued once and can be queued again as a whole.
class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  virtual void repeat() = 0;
};

// A moment of a device's work: when all that was queued before it is done.
class DeviceMark {
 public:
  virtual ~DeviceMark() = default;
  virtual void wait() = 0;
  // Between two marks of one device; waits for both. 0 after an error.
  virtual double ms_since(DeviceMark& earlier) = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  DeviceKind kind() const { return kind_; }
  // One line for people: "2 threads, AVX-512, AMX bf16".
  virtual std::string description() const = 0;
  // Of the driver and the libraries that compute, on one line; "" where there are none.
  virtual std::string versions() const { return ""; }
  // Whether products of bf16 matrices are faster here than products of f32 matrices.
  virtual bool prefers_bf16() const = 0;

  // Whether the host may read and write this device's memory.
  bool host_memory() const { return kind_ != DeviceKind::kCuda; }

  // 64-byte aligned, uninitialised. Any thread. When there is none, host devices abort the process like
  // operator new; a GPU gives null and an error that take_status() reports. What needs much memory asks a
  // planner first.
  DeviceMemory allocate(size_t num_bytes);
  // Between tensors of this device, any thread on a host device.
  virtual void copy_bytes(void* to, const void* from, size_t num_bytes) = 0;
  // From host memory, which may change as soon as the call returns.
  virtual void upload(void* to, const void* from, size_t num_bytes) { copy_bytes(to, from, num_bytes); }
  // To host memory; waits for all work queued before. After an error the bytes are zeros.
  virtual void download(void* to, const void* from, size_t num_bytes) { copy_bytes(to, from, num_bytes); }

  // A device of host memory that the copies below reach: pinned for a GPU, which gives it slowly, and null when there is none. This device
  // must outlive it.
  virtual std::unique_ptr<Device> pinned_host();
  // Copies to and from memory of pinned_host() that are only queued: they happen in the order of this device's work, and nobody else
  // may touch either side before a mark behind them was waited for. False after an error: nothing was queued.
  virtual bool queue_download(void* to, const void* from, size_t num_bytes);
  virtual bool queue_upload(void* to, const void* from, size_t num_bytes);

  // The first error since the last call: kExhausted without memory, kInternal for anything else, which stays.
  // Does not wait: work that is still queued may fail later.
  virtual Status take_status() { return {}; }
  // The error that stays, of a device that can do nothing any more; its owner opens a new one.
  virtual Status lost() const { return {}; }

  // The moment when what is queued now is done. The device must outlive it. On the thread that queues work.
  virtual std::unique_ptr<DeviceMark> mark();

  // Records what `queue` queues, without running it; null where that is impossible. Inside, nothing may be uploaded or
  // downloaded, and no memory that is allocated may outlive `queue`: the record keeps it. What the work reads and writes
  // elsewhere must stay where it is.
  virtual std::unique_ptr<RecordedWork> record(const std::function<void()>&) { return nullptr; }

  // Only for kind() == kCpu.
  CpuDevice& cpu();
  // Only for kind() == kCuda.
  CudaDevice& cuda();

 protected:
  explicit Device(DeviceKind kind) : kind_(kind) {}
  virtual void* allocate_bytes(size_t num_bytes) = 0;
  virtual void free_bytes(void* memory) = 0;

 private:
  friend struct DeviceMemoryDeleter;
  const DeviceKind kind_;
};

// For host tensors that nobody computes on; lives as long as the process. Any thread.
Device& host_device();

// Host memory and plain loops.
class ReferenceDevice : public Device {
 public:
  ReferenceDevice() : Device(DeviceKind::kReference) {}
  std::string description() const override { return "reference"; }
  bool prefers_bf16() const override { return false; }
  void copy_bytes(void* to, const void* from, size_t num_bytes) override;

 protected:
  void* allocate_bytes(size_t num_bytes) override;
  void free_bytes(void* memory) override;
};

}  // namespace glyph
