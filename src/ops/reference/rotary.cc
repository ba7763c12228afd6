#include "ops/reference/access.h"
#include "ops/reference/ops.h"

namespace glyph::ops::reference {

void rotary(const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin, RotaryPairs pairs) {
  const int64_t half = cos.size(1);
  for (int64_t t = 0; t < x.size(0); ++t) {
    for (int64_t head = 0; head < x.size(1); ++head) {
      for (int64_t i = 0; i < half; ++i) {
        const int64_t first = pairs == RotaryPairs::kHalves ? i : 2 * i;
        const int64_t second = pairs == RotaryPairs::kHalves ? i + half : 2 * i + 1;
        const double a = get(x, t, head, first), b = get(x, t, head, second);
        const double c = get(cos, t, i), s = get(sin, t, i);
        put(x, t, head, first, a * c - b * s);
        put(x, t, head, second, b * c + a * s);
      }
    }
  }
}

}  // namespace glyph::ops::reference
