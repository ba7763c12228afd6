// What the kernel says about this process, under the names of Prometheus' own client libraries.
#pragma once

#include <cstdint>

#include "server/exposition.h"

namespace glyph {

struct ProcessFigures {
  double cpu_seconds = 0;
  double start_seconds = 0;  // Unix time
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
};

ProcessFigures process_figures();
void write_process_figures(Exposition& out, const ProcessFigures& figures);

}  // namespace glyph
