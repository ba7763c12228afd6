// StageObserver: shows the intermediate tensors of a model, for tests against the reference.
#pragma once

#include <functional>
#include <string_view>

#include "tensor/tensor.h"

namespace glyph {

// Called with each stage as it is computed; the view is in host memory and valid during the call.
using StageObserver = std::function<void(std::string_view stage, const ConstTensorView& values)>;

// Calls the observer, if there is one, with `values` of `device`.
inline void show_stage(const StageObserver& observer, Device& device, std::string_view stage,
                       const ConstTensorView& values) {
  if (!observer) return;
  if (device.host_memory()) return observer(stage, values);
  const Tensor copy = host_copy(device, values);
  observer(stage, copy.view());
}

}  // namespace glyph
