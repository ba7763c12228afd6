// Assembles the table of one instruction set from the headers that are compiled with its flags.
#pragma once

#include "ops/cpu/attention_kernels.h"
#include "ops/cpu/dot_kernels.h"
#include "ops/cpu/matrix_f32.h"
#include "ops/cpu/vector_kernels.h"

namespace {

constexpr glyph::ops::cpu::Kernels make_kernels(const glyph::ops::cpu::MatrixKernel* bf16) {
  return {
      .f32 = &kF32Matrix,
      .bf16 = bf16,
      .split = nullptr,
      .split_row = nullptr,
      .finish = rows::finish,
      .dot_rows = dots::dot_rows,
      .widen = rows::widen,
      .narrow = rows::narrow,
      .rms_norm = rows::rms_norm,
      .add_norm = rows::add_norm,
      .layer_norm_gelu = rows::layer_norm_gelu,
      .softmax = rows::softmax,
      .rotate_halves = rows::rotate_halves,
      .rotate_interleaved = rows::rotate_interleaved,
      .add_scaled = rows::add_scaled,
      .softmax_step = attention_rows::softmax_step,
      .rescale_add = attention_rows::rescale_add,
      .weighted_rows = attention_rows::weighted_rows,
  };
}

}  // namespace
