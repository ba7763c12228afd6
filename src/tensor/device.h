// Device: where tensors live and who computes on them. Ops take a Device and choose their implementation by
// its kind, so the models are written once; another kind of device adds a folder under tensor/ and ops/ and
// no #ifdef.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace glyph {

class CpuDevice;
class Device;

enum class DeviceKind {
  kReference,  // plain loops with double sums on the host: the specification, for tests
  kCpu,        // vector and matrix units of the host, all threads
};

struct DeviceMemoryDeleter {
  Device* device = nullptr;
  void operator()(void* memory) const;
};
using DeviceMemory = std::unique_ptr<void, DeviceMemoryDeleter>;

class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  DeviceKind kind() const { return kind_; }
  // One line for people: "2 threads, AVX-512, AMX bf16".
  virtual std::string description() const = 0;
  // Whether products of bf16 matrices are faster here than products of f32 matrices.
  virtual bool prefers_bf16() const = 0;

  // 64-byte aligned, uninitialised. Any thread. Aborts the process like operator new when there is none: what
  // needs much memory asks a planner first.
  DeviceMemory allocate(size_t num_bytes);
  // Between tensors of this device, any thread.
  virtual void copy_bytes(void* to, const void* from, size_t num_bytes) = 0;

  // Only for kind() == kCpu.
  CpuDevice& cpu();

 protected:
  explicit Device(DeviceKind kind) : kind_(kind) {}
  virtual void* allocate_bytes(size_t num_bytes) = 0;
  virtual void free_bytes(void* memory) = 0;

 private:
  friend struct DeviceMemoryDeleter;
  const DeviceKind kind_;
};

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
