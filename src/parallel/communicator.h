// Communicator: one device's place among those that compute one model together, and the ops in which they exchange values.
//
// The ranks run the same program, each on a thread of its own: all call the same ops in the same order with views of the same
// shape and type. What an op leaves has the same bits on every rank. On GPUs the ops are queued like any other and may be
// recorded; errors are the device's (Device::take_status).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "glyph/status.h"
#include "tensor/tensor.h"

namespace glyph {

// Used on the thread that queues work of its device; abort() from any.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }

  // x, dense f32, f16 or bf16, becomes the sum of all ranks' x.
  virtual void all_reduce(const TensorView& x) = 0;
  // A sum and what ops::add_norm does with it: x (rows, n) f32 += rms_norm(branch summed over the ranks, branch_weight), out (rows, n)
  // = rms_norm(x, next_weight); branch (rows, n) f32 is left as it comes. In one kernel where there is one for it, which saves as much time
  // as a small sum takes; false where there is none, and nothing happened: the same answer on all ranks.
  struct SumAndNorm {
    ConstTensorView branch;
    ConstTensorView branch_weight, next_weight;  // (n) f32
    float eps = 0;
    TensorView x, out;
  };
  virtual bool all_reduce_add_norm(const SumAndNorm&) { return false; }
  // all_reduce() beside what is queued afterwards; until finish_all_reduce(), once for each in their order, nothing else may use x.
  virtual void begin_all_reduce(const TensorView& x) { all_reduce(x); }
  virtual void finish_all_reduce() {}
  // x, dense f32, f16 or bf16, becomes that of rank 0.
  virtual void broadcast(const TensorView& x) = 0;
  // `all` (size * rows, n) becomes the `part` (rows, n) of every rank, in their order. Dense f32, f16 or bf16.
  virtual void all_gather(const ConstTensorView& part, const TensorView& all) = 0;
  // Tensors from one rank to another: one calls send(), the other receive() with a view of the same size and type.
  virtual void send(const ConstTensorView& x, int to) = 0;
  virtual void receive(const TensorView& x, int from) = 0;

  // Another rank failed and will not come: whoever waits for it waits no longer, and the device is lost.
  virtual void abort() = 0;

 protected:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}

 private:
  const int rank_, size_;
};

struct ConnectOptions {
  bool one_shot = true;  // GPUs: small f32 sums by one kernel of our own, where their memory can be reached; else all by NCCL
};

using Communicators = std::vector<std::unique_ptr<Communicator>>;

// One for each device, all of one kind, in this order. Host devices meet in memory;
// GPUs need NCCL (libnccl.so.2) and access to each other's memory: kNotFound, in one sentence, where one of them is missing.
Result<Communicators> connect(std::span<Device* const> devices, const ConnectOptions& options = {});

// What stands behind connect().
Communicators connect_in_memory(std::span<Device* const> devices);
Result<Communicators> connect_gpus(std::span<Device* const> devices, const ConnectOptions& options);

}  // namespace glyph
