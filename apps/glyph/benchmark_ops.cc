// bench ops: the operations that a question's time goes into, one by one.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "benchmarks.h"
#include "json_text.h"
#include "ops/bench_ops.h"
#include "tensor/cpu_device.h"

namespace glyph {
namespace json = boost::json;

Result<BenchReport> report_ops(const Settings& settings, const BenchArguments&) {
  GLYPH_ASSIGN_OR_RETURN(const int64_t threads, settings.integer("threads", 0, 0, 1024));
  CpuDevice device({.num_threads = static_cast<int>(threads)});
  BenchReport report;
  report.table = fmt::format("{}\n{:22} {:34} {:>10} {:>10} {:>10}\n", device.description(), "op", "shape", "ms", "GFLOP/s", "GB/s");
  json::array rows;
  for (const ops::OpSpeed& speed : ops::bench_ops(device)) {
    report.table += fmt::format("{:22} {:34} {:10.3f} {:10.1f} {:10.1f}\n", speed.op, speed.shape, speed.seconds * 1e3, speed.gflop_per_s,
                                speed.gbyte_per_s);
    rows.push_back({{"op", speed.op}, {"shape", speed.shape}, {"ms", rounded(speed.seconds * 1e3, 4)},
                    {"gflop_per_s", rounded(speed.gflop_per_s, 1)}, {"gbyte_per_s", rounded(speed.gbyte_per_s, 1)}});
  }
  report.data = {{"device", device.description()}, {"ops", std::move(rows)}};
  return report;
}

}  // namespace glyph
