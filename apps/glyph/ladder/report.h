// What the ladder found: rows to be printed, kept and drawn.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "ladder/measure.h"
#include "ladder/rows.h"
#include "tensor/gpu_health.h"

namespace glyph {

struct LadderEntry {
  LadderRow row;
  std::string workload;
  Measured measured;
  std::string problem;  // why there is nothing measured, "" when there is
};

// How cost grows: documents of so many pages, and as many words as plain text.
struct GrowthEntry {
  int64_t pages = 0;
  Measured as_pages;
  int64_t text_tokens = 0;
  Measured as_text;          // with prompt_tokens 0: not measured
  std::string problem;       // as in LadderEntry, of either
};

struct LadderReport {
  std::string model;
  std::string device;
  std::string limits_type;   // what the limits were measured with, "bf16"
  DeviceLimits limits;
  std::vector<LadderEntry> entries;
  std::string growth_precision;
  std::vector<GrowthEntry> growth;
  Streams streams;
  StreamsMeasured streamed;  // with scheduled_tokens_per_s 0: not measured
  std::string stream_problem;
  double load_ms = 0;        // of the last model
  double compile_ms = 0;     // of the last plan; 0: none was made
  double plan_load_ms = 0;   // reading it again
  std::vector<GpuHealth> gpus;  // right after the last row, when they are warm
};

// Against the first entry of the same workload; 0 when either is missing.
double speedup(const LadderReport& report, const LadderEntry& entry);

std::string ladder_table(const LadderReport& report);
boost::json::object ladder_json(const LadderReport& report);
// A chart for each of rows and growth, in one drawing.
std::string ladder_svg(const LadderReport& report);

}  // namespace glyph
