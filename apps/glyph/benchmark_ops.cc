// bench ops: the operations that a question's time goes into, one by one, and the tokenizer.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "benchmarks.h"
#include "json_text.h"
#include "model_dir.h"
#include "ops/bench_ops.h"
#include "tensor/cpu_device.h"
#include "tokenize/bench_tokenize.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr int64_t kTokenizedPages = 100;

// Only where there is a model: its tokenizer is measured. A named one must be there.
Status add_tokenizer(const Settings& settings, BenchReport& report) {
  const auto dir = find_model_dir(settings);
  if (!dir.ok()) return settings.has("model") ? dir.status() : Status();
  GLYPH_ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::load(*dir));
  const TokenizeRate rate = bench_tokenize(tokenizer, generated_text(kTokenizedPages));
  report.table += fmt::format("tokenizer, one thread: {:.1f} MB/s to ids, {:.1f} MB/s back, {:.2f} bytes a token\n", rate.encode_mb_per_s,
                              rate.decode_mb_per_s, rate.bytes_per_token);
  report.data["tokenize"] = {{"encode_mb_per_s", rounded(rate.encode_mb_per_s, 1)},
                             {"decode_mb_per_s", rounded(rate.decode_mb_per_s, 1)},
                             {"bytes_per_token", rounded(rate.bytes_per_token, 3)}};
  return {};
}

}  // namespace

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
  GLYPH_RETURN_IF_ERROR(add_tokenizer(settings, report));
  return report;
}

}  // namespace glyph
