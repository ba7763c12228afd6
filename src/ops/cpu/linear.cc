// Few rows: each weight row is read once, where it lies, and multiplied with all rows (bound by memory). Many
// rows: weights are packed into panels, a group of panels that fits the second-level cache at a time, and
// blocks of rows run over them. With a tile unit that multiplies bf16 alone, f32 rows times bf16 weights are three such
// products, of which no bit is lost.
#include <algorithm>
#include <array>
#include <vector>

#include "ops/cpu/ops.h"
#include "ops/cpu/scratch.h"

namespace glyph::ops::cpu {
namespace {

// Weight rows that become neighbouring output columns; `up` only for swiglu.
struct Run {
  PackSource weights;
  PackSource up;
  const float* bias = nullptr;
  int64_t first_column = 0;
};

struct Job {
  ConstTensorView x;
  TensorView out;
  std::vector<Run> runs;
  bool accumulate = false;
  bool swiglu = false;

  int64_t num_rows() const { return x.size(0); }
  int64_t depth() const { return x.size(1); }
};

PackSource source_of(const ConstTensorView& weight) {
  return {.data = weight.raw(),
          .dtype = weight.dtype(),
          .stride = weight.stride(0),
          .count = weight.size(0),
          .depth = weight.size(1)};
}

PackSource some_rows(const PackSource& source, int64_t begin, int64_t count) {
  PackSource part = source;
  part.data = static_cast<const std::byte*>(source.data) +
              begin * source.stride * static_cast<int64_t>(size_of(source.dtype));
  part.count = count;
  return part;
}

const std::byte* row_of(const ConstTensorView& x, int64_t row) {
  return static_cast<const std::byte*>(x.raw()) +
         row * x.stride(0) * static_cast<int64_t>(size_of(x.dtype()));
}
std::byte* element_of(const TensorView& out, int64_t row, int64_t column) {
  return static_cast<std::byte*>(out.raw()) +
         (row * out.stride(0) + column) * static_cast<int64_t>(size_of(out.dtype()));
}

// All of x as dense f32 rows; x itself when it is that.
const float* widened_rows(CpuDevice& device, const Kernels& kernels, const ConstTensorView& x) {
  if (x.dtype() == DType::kF32 && x.dense()) return x.data<float>();
  float* rows = scratch_floats(ScratchUse::kRows, x.size(0) * x.size(1));
  device.threads().parallel_for(static_cast<size_t>(x.size(0)), 64, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      const auto row = static_cast<int64_t>(r);
      kernels.widen(row_of(x, row), x.dtype(), x.size(1), rows + row * x.size(1));
    }
  });
  return rows;
}

// All of x as three bf16 rows each, `stride` elements from row to row.
const BF16* split_rows(CpuDevice& device, const Kernels& kernels, const ConstTensorView& x, int64_t padded_depth) {
  const int64_t stride = kSplitParts * padded_depth;
  auto* rows = static_cast<BF16*>(
      scratch_bytes(ScratchUse::kRows, static_cast<size_t>(x.size(0) * stride) * sizeof(BF16)));
  device.threads().parallel_for(static_cast<size_t>(x.size(0)), 64, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      const auto row = static_cast<int64_t>(r);
      kernels.split_row(x.row<float>(row), x.size(1), padded_depth, rows + row * stride);
    }
  });
  return rows;
}

// ---- few rows
// ------------------------------------------------------------------------------------------------------------------

constexpr int64_t kDotColumns = 64;  // output columns a thread takes at once

// Columns [begin, end) of one run for up to kMaxDotRows rows.
void dot_columns(const Kernels& kernels, const Job& job, const Run& run, const float* x, int64_t first_row,
                 int num_x, int64_t begin, int64_t end) {
  std::array<float, 2 * kMaxDotRows * kDotColumns> y;
  constexpr int64_t kStride = 2 * kDotColumns;
  const int64_t count = end - begin;
  kernels.dot_rows(x + first_row * job.depth(), job.depth(), num_x, some_rows(run.weights, begin, count),
                   y.data(), kStride);
  if (job.swiglu) {
    kernels.dot_rows(x + first_row * job.depth(), job.depth(), num_x, some_rows(run.up, begin, count),
                     y.data() + kDotColumns, kStride);
  }
  const Epilogue epilogue{.bias = run.bias == nullptr ? nullptr : run.bias + begin,
                          .accumulate = job.accumulate,
                          .swiglu = job.swiglu};
  kernels.finish(y.data(), kStride, kDotColumns, num_x, count, epilogue,
                 element_of(job.out, first_row, run.first_column + begin), job.out.dtype(),
                 job.out.stride(0));
}

void multiply_few_rows(CpuDevice& device, const Kernels& kernels, const Job& job) {
  const float* x = widened_rows(device, kernels, job.x);
  struct Slice {
    const Run* run;
    int64_t begin, end;
  };
  std::vector<Slice> slices;
  for (const Run& run : job.runs) {
    for (int64_t i = 0; i < run.weights.count; i += kDotColumns) {
      slices.push_back({&run, i, std::min(run.weights.count, i + kDotColumns)});
    }
  }
  device.threads().parallel_for(slices.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const Slice& slice = slices[i];
      for (int64_t row = 0; row < job.num_rows(); row += kMaxDotRows) {
        const int num_x = static_cast<int>(std::min<int64_t>(kMaxDotRows, job.num_rows() - row));
        dot_columns(kernels, job, *slice.run, x, row, num_x, slice.begin, slice.end);
      }
    }
  });
}

// ---- many rows
// -----------------------------------------------------------------------------------------------------------------

constexpr size_t kGroupBytes = size_t{1} << 20;  // packed weights that stay in the second-level cache
constexpr int64_t kBlockRows = 96;               // a multiple of every matrix kernel's rows

struct Panel {
  const Run* run = nullptr;
  int64_t begin = 0;  // weight rows of the run
  int64_t count = 0;
};

std::vector<Panel> cut_into_panels(const Job& job, const MatrixKernel& matrix) {
  const int64_t width = job.swiglu ? matrix.columns / 2 : matrix.columns;
  std::vector<Panel> panels;
  for (const Run& run : job.runs) {
    for (int64_t i = 0; i < run.weights.count; i += width)
      panels.push_back({&run, i, std::min(width, run.weights.count - i)});
  }
  return panels;
}

void pack_panel(const MatrixKernel& matrix, const Job& job, const Panel& panel, std::byte* to) {
  matrix.pack(some_rows(panel.run->weights, panel.begin, panel.count), 0, to);
  if (job.swiglu) matrix.pack(some_rows(panel.run->up, panel.begin, panel.count), matrix.columns / 2, to);
}

// Operands of a group of panels: x as the kernel's type.
struct Group {
  const MatrixKernel& matrix;
  const std::byte* x;
  int64_t x_stride;
  const Panel* panels;
  const std::byte* packed;
};

void multiply_block(const Kernels& kernels, const Job& job, const Group& group, int64_t panel_index,
                    int64_t row_begin, int64_t row_end) {
  const MatrixKernel& matrix = group.matrix;
  const Panel& panel = group.panels[panel_index];
  const std::byte* packed = group.packed + static_cast<size_t>(panel_index) * matrix.panel_bytes(job.depth());
  float* c = scratch_floats(ScratchUse::kBlock, int64_t{matrix.rows} * matrix.columns);
  const float* bias = panel.run->bias == nullptr ? nullptr : panel.run->bias + panel.begin;
  const Epilogue epilogue{.bias = bias, .accumulate = job.accumulate, .swiglu = job.swiglu};
  const bool plain = bias == nullptr && !job.accumulate && !job.swiglu && job.out.dtype() == DType::kF32 &&
                     panel.count == matrix.columns;
  for (int64_t row = row_begin; row < row_end; row += matrix.rows) {
    const int count = static_cast<int>(std::min<int64_t>(matrix.rows, row_end - row));
    const std::byte* x = group.x + row * group.x_stride * static_cast<int64_t>(size_of(matrix.type));
    std::byte* out = element_of(job.out, row, panel.run->first_column + panel.begin);
    if (plain) {
      matrix.multiply(x, group.x_stride, count, job.depth(), packed, reinterpret_cast<float*>(out),
                      job.out.stride(0));
      continue;
    }
    matrix.multiply(x, group.x_stride, count, job.depth(), packed, c, matrix.columns);
    kernels.finish(c, matrix.columns, matrix.columns / 2, count, panel.count, epilogue, out, job.out.dtype(),
                   job.out.stride(0));
  }
}

void multiply_group(CpuDevice& device, const Kernels& kernels, const Job& job, const Group& group,
                    int64_t num_panels) {
  const int64_t num_blocks = (job.num_rows() + kBlockRows - 1) / kBlockRows;
  // With few blocks of rows the panels are shared out as well.
  const int64_t wanted_cuts = std::max<int64_t>(1, 4 * device.threads().num_threads() / num_blocks);
  const int64_t panels_a_task = std::max<int64_t>(1, num_panels / wanted_cuts);
  const int64_t num_cuts = (num_panels + panels_a_task - 1) / panels_a_task;
  device.threads().parallel_for(static_cast<size_t>(num_blocks * num_cuts), 1, [&](size_t begin, size_t end) {
    for (size_t task = begin; task < end; ++task) {
      const int64_t row = static_cast<int64_t>(task) / num_cuts * kBlockRows;
      const int64_t first = static_cast<int64_t>(task) % num_cuts * panels_a_task;
      for (int64_t i = first; i < std::min(num_panels, first + panels_a_task); ++i) {
        multiply_block(kernels, job, group, i, row, std::min(job.num_rows(), row + kBlockRows));
      }
    }
    if (group.matrix.end != nullptr) group.matrix.end();
  });
}

bool weights_are(const Job& job, DType type) {
  return std::ranges::all_of(job.runs, [&](const Run& run) {
    return run.weights.dtype == type && (!job.swiglu || run.up.dtype == type);
  });
}

const MatrixKernel& matrix_for(const Kernels& kernels, const Job& job) {
  if (job.x.dtype() == DType::kBF16 && kernels.bf16 != nullptr) return *kernels.bf16;
  const bool split = kernels.split != nullptr && job.x.dtype() == DType::kF32 && weights_are(job, DType::kBF16);
  return split ? *kernels.split : *kernels.f32;
}

// x as the kernel takes it: as it lies, in parts, or widened.
Group make_group(CpuDevice& device, const Kernels& kernels, const Job& job, const MatrixKernel& matrix) {
  Group group{.matrix = matrix,
              .x = row_of(job.x, 0),
              .x_stride = job.x.stride(0),
              .panels = nullptr,
              .packed = nullptr};
  if (&matrix == kernels.split) {
    const int64_t padded_depth = matrix.padded_depth(job.depth());
    group.x = reinterpret_cast<const std::byte*>(split_rows(device, kernels, job.x, padded_depth));
    group.x_stride = kSplitParts * padded_depth;
  } else if (job.x.dtype() != matrix.type) {
    group.x = reinterpret_cast<const std::byte*>(widened_rows(device, kernels, job.x));
    group.x_stride = job.depth();
  }
  return group;
}

void multiply_many_rows(CpuDevice& device, const Kernels& kernels, const Job& job) {
  const MatrixKernel& matrix = matrix_for(kernels, job);
  Group group = make_group(device, kernels, job, matrix);
  const std::vector<Panel> panels = cut_into_panels(job, matrix);
  const size_t panel_bytes = matrix.panel_bytes(job.depth());
  const size_t group_size = std::max<size_t>(4, kGroupBytes / panel_bytes);
  auto* packed = static_cast<std::byte*>(
      scratch_bytes(ScratchUse::kPanels, std::min(group_size, panels.size()) * panel_bytes));
  group.packed = packed;
  for (size_t first = 0; first < panels.size(); first += group_size) {
    const size_t count = std::min(group_size, panels.size() - first);
    group.panels = panels.data() + first;
    device.threads().parallel_for(count, 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) pack_panel(matrix, job, group.panels[i], packed + i * panel_bytes);
    });
    multiply_group(device, kernels, job, group, static_cast<int64_t>(count));
  }
}

void multiply(CpuDevice& device, const Job& job) {
  constexpr int64_t kFewRows = 2 * kMaxDotRows;
  const Kernels& kernels = kernels_for(device.level());
  if (job.num_rows() == 0) return;
  // bf16 rows are always rounded and summed by the same kernel, however many there are.
  if (job.num_rows() <= kFewRows && job.x.dtype() == DType::kF32) {
    multiply_few_rows(device, kernels, job);
  } else {
    multiply_many_rows(device, kernels, job);
  }
}

}  // namespace

void linear(CpuDevice& device, const ConstTensorView& x, std::span<const LinearPart> parts,
            const TensorView& out, const LinearOptions& options) {
  Job job{.x = x, .out = out, .runs = {}, .accumulate = options.accumulate};
  int64_t column = 0;
  for (const LinearPart& part : parts) {
    const float* bias = part.bias.empty() ? nullptr : part.bias.data<float>();
    job.runs.push_back({.weights = source_of(part.weight), .up = {}, .bias = bias, .first_column = column});
    column += part.weight.size(0);
  }
  multiply(device, job);
}

void swiglu_linear(CpuDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                   const ConstTensorView& up, const TensorView& out) {
  Job job{.x = x, .out = out, .runs = {}, .accumulate = false, .swiglu = true};
  job.runs.push_back({.weights = source_of(gate), .up = source_of(up), .bias = nullptr, .first_column = 0});
  multiply(device, job);
}

}  // namespace glyph::ops::cpu
