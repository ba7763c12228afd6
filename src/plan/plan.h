// Plan: choices that were timed on one machine for one model, so that later starts need not time them again.
//
// It holds what changes speed and nothing that changes what is computed: which passes over pages are recorded and how their
// pages attend, how many pages make a pass, how many tokens of a prompt are read at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/cuda/matrix_choices.h"
#include "ops/page_attention.h"
#include "vision/page_batch.h"

namespace glyph {

// What a plan is good for: the same in all of it, or it is made again. Each is one line of at most kMaxIdentityBytes.
struct PlanIdentity {
  static constexpr size_t kMaxBytes = 256;

  std::string program;    // version
  std::string model;      // digest of what decides shapes and arithmetic
  std::string device;     // Device::description()
  std::string libraries;  // versions of driver and libraries, "" where there are none

  bool operator==(const PlanIdentity&) const = default;
};

// A pass over equal pages.
struct PlannedPass {
  PageShape shape;
  int64_t num_pages = 1;
  ops::PageAttention attention = ops::PageAttention::kMeasured;
  bool recorded = false;
  double ms = 0;
};

// Reading a prompt by chunks of so many tokens.
struct PlannedChunk {
  int64_t tokens = 0;
  double ms = 0;  // of the prompt that was timed
};

struct Plan {
  PlanIdentity identity;
  std::vector<PlannedPass> passes;
  std::vector<PlannedChunk> chunks;
  std::vector<ops::cuda::MatrixChoice> products;  // of a GPU: the library's algorithms for the shapes that came

  // Of the fastest; larger ones win only by more than a hundredth. 0: none was timed.
  int64_t chunk_tokens() const;
};

// Why a plan of `made_for` is not for `here`, as the end of a sentence ("the GPU is ..., not ..."); "" when it is.
std::string difference(const PlanIdentity& made_for, const PlanIdentity& here);

}  // namespace glyph
