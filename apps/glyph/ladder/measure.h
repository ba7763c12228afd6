// One question, measured: how long it takes, where the time goes, what the device achieved.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "glyph/status.h"
#include "ladder/rows.h"
#include "ladder/workloads.h"

namespace glyph {

struct LadderOptions {
  int64_t answer_tokens = 128;
  int64_t repeats = 2;  // of what is timed, after one question that is not; the fastest counts
  std::string question = "Write out the first line.";
};

// Milliseconds of a question whose stages were kept apart: the device had finished before the next one began.
struct StageTimes {
  double draw_ms = 0;  // on its own thread, beside the others
  double vision_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;

  double sum() const { return vision_ms + prefill_ms + decode_ms; }
};

struct Measured {
  double total_ms = 0;
  double first_token_ms = 0;
  double token_ms = 0;  // each one after the first
  StageTimes stages;
  int64_t pages = 0;
  int64_t patches = 0;  // encoded
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t answer_tokens = 0;
  uint64_t peak_bytes = 0;      // of device memory; of the process on a host device
  uint64_t planned_bytes = 0;   // what the planner said before the model was loaded
  double vision_tflops = 0;     // achieved
  double prefill_tflops = 0;
  double decode_gbytes = 0;     // a second
  double accepted_share = 0;    // of drafted tokens, where an answer quotes
};

// As `row` asks. The engine, opened with its precision, computes for nobody else meanwhile.
Result<Measured> measure(Engine& engine, const LadderRow& row, const Workload& workload, const LadderOptions& options,
                         std::stop_token stop);

// The same number of words as plain text tokens: `num_tokens` of them through the language model alone.
Result<Measured> measure_text(const Model& model, int64_t num_tokens, const LadderOptions& options, std::stop_token stop);

// Many answers at once, over documents that were read before.
struct Streams {
  int64_t num_streams = 32;
  int64_t num_documents = 8;
  int64_t pages_each = 10;
};
struct StreamsMeasured {
  double scheduled_tokens_per_s = 0;  // through the scheduler, sampling included, while all are being written
  double model_tokens_per_s = 0;      // of the language model alone
  uint64_t peak_bytes = 0;
};
Result<StreamsMeasured> measure_streams(const Model& model, const Streams& streams, const PageStyle& style,
                                        const LadderOptions& options, std::stop_token stop);

// Memory that `model`'s device holds, in use or kept for reuse; on a host device the process's most since reset_peak_memory().
uint64_t peak_memory(const Model& model);
void reset_peak_memory();

// What the device does at best, measured here: a product of large matrices in `type`, and a copy from its memory to its memory.
struct DeviceLimits {
  double tflops = 0;
  double gbytes = 0;  // a second, read and written
};
DeviceLimits measure_limits(Device& device, DType type);

}  // namespace glyph
