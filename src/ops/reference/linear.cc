#include <cmath>
#include <vector>

#include "ops/reference/access.h"
#include "ops/reference/ops.h"

namespace glyph::ops::reference {
namespace {

double dot(const ConstTensorView& x, int64_t row, const ConstTensorView& weight, int64_t output) {
  double sum = 0;
  for (int64_t k = 0; k < x.size(1); ++k) sum += get(x, row, k) * get(weight, output, k);
  return sum;
}

}  // namespace

void linear(const ConstTensorView& x, std::span<const LinearPart> parts, const TensorView& out,
            const LinearOptions& options) {
  for (int64_t r = 0; r < x.size(0); ++r) {
    int64_t column = 0;
    for (const LinearPart& part : parts) {
      for (int64_t n = 0; n < part.weight.size(0); ++n, ++column) {
        const double bias = part.bias.empty() ? 0.0 : part.bias.data<float>()[n];
        const double before = options.accumulate ? get(out, r, column) : 0.0;
        put(out, r, column, before + dot(x, r, part.weight, n) + bias);
      }
    }
  }
}

void swiglu_linear(const ConstTensorView& x, const ConstTensorView& gate, const ConstTensorView& up,
                   const TensorView& out) {
  for (int64_t r = 0; r < x.size(0); ++r) {
    std::vector<double> row(static_cast<size_t>(gate.size(0)));
    for (int64_t n = 0; n < gate.size(0); ++n) {
      const double g = dot(x, r, gate, n);
      row[static_cast<size_t>(n)] = g / (1.0 + std::exp(-g)) * dot(x, r, up, n);
    }
    put_row(out, r, row);
  }
}

}  // namespace glyph::ops::reference
