// StageObserver: shows the intermediate tensors of a model, for tests against the reference.
#pragma once

#include <functional>
#include <string_view>

#include "tensor/tensor.h"

namespace glyph {

// Called with each stage as it is computed; the view is valid during the call.
using StageObserver = std::function<void(std::string_view stage, const ConstTensorView& values)>;

}  // namespace glyph
