// Finding: what doctor says about one thing, and the judgements that need nothing but figures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "machine.h"

namespace glyph {

struct Finding {
  enum class State { kOk, kWarning, kBad };
  std::string what;    // "memory"
  State state = State::kOk;
  std::string detail;  // what was found
  std::string advice;  // what to do about it, "" when ok
};

std::string_view name_of(Finding::State state);

// `wanted_bytes`: what the program may grow to; `purpose`: who wants it, "this model".
Finding judge_memory(const MemoryState& memory, uint64_t wanted_bytes, std::string_view purpose);

// `open_files`: how many this process may have; `wanted`: connections and what else there is.
Finding judge_open_files(uint64_t open_files, uint64_t wanted);

// What the build can do with a GPU. A build without the GPU backend asks for nothing.
struct GpuUse {
  bool built_in = false;
  std::string problem;  // why the backend can use none of the GPUs, "" when it can
};
Finding judge_gpu(const GpuState& gpu, const GpuUse& use);

// For people: a line each, and one more with what to do.
std::string findings_table(const std::vector<Finding>& findings);
// For the log: "memory: 900 MiB, 200 MiB available; this model wants about 700 MiB: close other programs"
std::string finding_line(const Finding& finding);

}  // namespace glyph
