// Ranks that share the host's memory: each shows the others where its values are.
#include <cstring>

#include "base/check.h"
#include "parallel/barrier.h"
#include "parallel/communicator.h"

namespace glyph {
namespace {

// What the ranks of one group have in common. A rank writes its own element before a barrier; others read it behind.
struct Meeting {
  explicit Meeting(size_t size) : barrier(static_cast<int>(size)), shown(size), places(size * size) {}

  Barrier barrier;
  std::vector<ConstTensorView> shown;  // (rank)
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<ConstTensorView> places;  // guarded by mutex: (from, to), what is on its way; empty: nothing
  bool aborted = false;                 // guarded by mutex
};

float element(const ConstTensorView& view, int64_t i) {
  if (view.dtype() == DType::kBF16) return to_float(view.data<BF16>()[i]);
  if (view.dtype() == DType::kF16) return to_float(view.data<F16>()[i]);
  return view.data<float>()[i];
}

void put(const TensorView& view, int64_t i, float value) {
  if (view.dtype() == DType::kBF16) view.data<BF16>()[i] = to_bf16(value);
  else if (view.dtype() == DType::kF16) view.data<F16>()[i] = to_f16(value);
  else view.data<float>()[i] = value;
}

size_t bytes_of(const ConstTensorView& view) {
  return static_cast<size_t>(glyph::bytes_of(view.dtype(), view.shape().num_elements()));
}

class MemoryCommunicator : public Communicator {
 public:
  MemoryCommunicator(int rank, int size, std::shared_ptr<Meeting> meeting)
      : Communicator(rank, size), meeting_(std::move(meeting)) {}

  // Every rank computes all sums, in the order of the ranks: the same everywhere.
  void all_reduce(const TensorView& x) override {
    if (!show(x)) return;
    Tensor sums(host_device(), x.dtype(), x.shape());
    for (int64_t i = 0; i < x.shape().num_elements(); ++i) {
      float sum = 0;
      for (const ConstTensorView& part : meeting_->shown) sum += element(part, i);
      put(sums.view(), i, sum);
    }
    if (meeting_->barrier.arrive()) std::memcpy(x.raw(), sums.view().raw(), bytes_of(x));
  }

  void broadcast(const TensorView& x) override {
    if (!show(x)) return;
    if (rank() != 0) std::memcpy(x.raw(), meeting_->shown[0].raw(), bytes_of(x));
    meeting_->barrier.arrive();
  }

  void all_gather(const ConstTensorView& part, const TensorView& all) override {
    GLYPH_CHECK(all.dense() && all.dtype() == part.dtype() && all.shape().num_elements() == size() * part.shape().num_elements());
    if (!show(part)) return;
    auto* to = static_cast<std::byte*>(all.raw());
    for (const ConstTensorView& one : meeting_->shown) {
      std::memcpy(to, one.raw(), bytes_of(one));
      to += bytes_of(one);
    }
    meeting_->barrier.arrive();
  }

  void send(const ConstTensorView& x, int to) override {
    GLYPH_CHECK(x.dense() && to != rank());
    ConstTensorView& place = place_of(rank(), to);
    std::unique_lock lock(meeting_->mutex);
    place = x;
    meeting_->changed.notify_all();
    meeting_->changed.wait(lock, [&] { return place.empty() || meeting_->aborted; });
  }

  void receive(const TensorView& x, int from) override {
    GLYPH_CHECK(x.dense() && from != rank());
    ConstTensorView& place = place_of(from, rank());
    std::unique_lock lock(meeting_->mutex);
    meeting_->changed.wait(lock, [&] { return !place.empty() || meeting_->aborted; });
    if (meeting_->aborted) return;
    GLYPH_CHECK(place.dtype() == x.dtype() && place.shape().num_elements() == x.shape().num_elements());
    std::memcpy(x.raw(), place.raw(), bytes_of(x));
    place = {};
    meeting_->changed.notify_all();
  }

  void abort() override {
    meeting_->barrier.abort();
    std::lock_guard lock(meeting_->mutex);
    meeting_->aborted = true;
    meeting_->changed.notify_all();
  }

 private:
  // False when nobody waits any more.
  bool show(const ConstTensorView& x) {
    GLYPH_CHECK(x.dense() && !is_quantised(x.dtype()));
    meeting_->shown[static_cast<size_t>(rank())] = x;
    return meeting_->barrier.arrive();
  }
  ConstTensorView& place_of(int from, int to) { return meeting_->places[static_cast<size_t>(from * size() + to)]; }

  const std::shared_ptr<Meeting> meeting_;
};

}  // namespace

Communicators connect_in_memory(std::span<Device* const> devices) {
  const auto meeting = std::make_shared<Meeting>(devices.size());
  const auto size = static_cast<int>(devices.size());
  Communicators all;
  for (int rank = 0; rank < size; ++rank) all.push_back(std::make_unique<MemoryCommunicator>(rank, size, meeting));
  return all;
}

}  // namespace glyph
