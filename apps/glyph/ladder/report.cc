#include "ladder/report.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "json_text.h"

namespace glyph {
namespace {

namespace json = boost::json;

constexpr double kMib = 1024.0 * 1024.0;

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

std::string entry_line(const LadderReport& report, const LadderEntry& entry) {
  if (!entry.problem.empty()) return fmt::format("{:38} {}\n", entry.row.label, entry.problem);
  const Measured& m = entry.measured;
  const StageTimes& s = m.stages;
  std::string line = fmt::format("{:38} {:9.1f} {:9.1f} {:8.2f} {:7.2f}x {:9.0f}  {:4.0f} {:4.0f} {:4.0f} {:4.0f}  {:8.1f} {:8.1f} {:8.0f}", entry.row.label,
                                 m.total_ms, m.first_token_ms, m.token_ms, speedup(report, entry), static_cast<double>(m.peak_bytes) / kMib,
                                 percent(s.draw_ms, s.sum()), percent(s.vision_ms, s.sum()), percent(s.prefill_ms, s.sum()),
                                 percent(s.decode_ms, s.sum()), m.vision_tflops, m.prefill_tflops, m.decode_gbytes);
  if (LadderRow::quotes(entry.row.question)) line += fmt::format("  {:.0f} % of drafts taken", 100 * m.accepted_share);
  return line + "\n";
}

std::string growth_line(const GrowthEntry& entry) {
  const Measured &p = entry.as_pages, &t = entry.as_text;
  std::string line = fmt::format("{:5} {:9} {:10.1f} {:10.1f} {:10.1f} {:8.2f} {:9.0f}", entry.pages, p.prompt_tokens, p.first_token_ms,
                                 p.stages.vision_ms, p.stages.prefill_ms, p.token_ms, static_cast<double>(p.peak_bytes) / kMib);
  if (t.prompt_tokens > 0 && p.prompt_tokens > 0) {
    line += fmt::format("  | {:9} {:10.1f} {:8.2f}  {:5.2f}x {:5.2f}x", t.prompt_tokens, t.first_token_ms, t.token_ms,
                        t.first_token_ms / (p.stages.vision_ms + p.stages.prefill_ms), t.token_ms / p.token_ms);
  }
  if (!entry.problem.empty()) line += "  " + entry.problem;
  return line + "\n";
}

json::object measured_json(const Measured& m) {
  const StageTimes& s = m.stages;
  return {{"total_ms", rounded(m.total_ms, 2)},
          {"first_token_ms", rounded(m.first_token_ms, 2)},
          {"token_ms", rounded(m.token_ms, 3)},
          {"stages_ms",
           {{"draw", rounded(s.draw_ms, 2)}, {"vision", rounded(s.vision_ms, 2)}, {"prefill", rounded(s.prefill_ms, 2)}, {"decode", rounded(s.decode_ms, 2)}}},
          {"share",
           {{"draw", rounded(percent(s.draw_ms, s.sum()), 1)},
            {"vision", rounded(percent(s.vision_ms, s.sum()), 1)},
            {"prefill", rounded(percent(s.prefill_ms, s.sum()), 1)},
            {"decode", rounded(percent(s.decode_ms, s.sum()), 1)}}},
          {"pages", m.pages},
          {"patches", m.patches},
          {"prompt_tokens", m.prompt_tokens},
          {"cached_tokens", m.cached_tokens},
          {"answer_tokens", m.answer_tokens},
          {"peak_memory_mib", rounded(static_cast<double>(m.peak_bytes) / kMib, 1)},
          {"planned_memory_mib", rounded(static_cast<double>(m.planned_bytes) / kMib, 1)},
          {"vision_tflop_per_s", rounded(m.vision_tflops, 3)},
          {"prefill_tflop_per_s", rounded(m.prefill_tflops, 3)},
          {"decode_gbyte_per_s", rounded(m.decode_gbytes, 2)}};
}

json::object entry_json(const LadderReport& report, const LadderEntry& entry) {
  json::object object{{"row", entry.row.key}, {"label", entry.row.label}, {"precision", entry.row.precision}, {"workload", entry.workload}};
  if (entry.row.kv_precision != "auto") object["kv_precision"] = entry.row.kv_precision;
  if (!entry.problem.empty()) {
    object["problem"] = entry.problem;
    return object;
  }
  for (auto& [key, value] : measured_json(entry.measured)) object[key] = std::move(value);
  object["speedup"] = rounded(speedup(report, entry), 3);
  if (LadderRow::quotes(entry.row.question)) object["accepted_share"] = rounded(entry.measured.accepted_share, 3);
  return object;
}

json::array gpus_json(const std::vector<GpuHealth>& gpus) {
  json::array list;
  for (const GpuHealth& gpu : gpus) {
    json::object object{{"name", gpu.name}, {"slow", slow_warning(gpu)}};
    if (gpu.power_w) object["power_w"] = rounded(*gpu.power_w, 1);
    if (gpu.power_limit_w) object["power_limit_w"] = rounded(*gpu.power_limit_w, 1);
    if (gpu.temperature_c) object["temperature_c"] = *gpu.temperature_c;
    if (gpu.sm_clock_mhz) object["sm_clock_mhz"] = *gpu.sm_clock_mhz;
    list.push_back(std::move(object));
  }
  return list;
}

json::object growth_json(const GrowthEntry& entry) {
  json::object object{{"pages", entry.pages}, {"as_pages", measured_json(entry.as_pages)}};
  if (entry.as_text.prompt_tokens > 0) object["as_text"] = measured_json(entry.as_text);
  if (!entry.problem.empty()) object["problem"] = entry.problem;
  return object;
}

std::string rows_table(const LadderReport& report) {
  std::string out, workload;
  for (const LadderEntry& entry : report.entries) {
    if (entry.workload != workload) {
      workload = entry.workload;
      out += fmt::format("\n{:38} {:>9} {:>9} {:>8} {:>8} {:>9}  {:>4} {:>4} {:>4} {:>4}  {:>8} {:>8} {:>8}\n", workload, "total ms", "first ms", "ms/token",
                         "speed-up", "peak MiB", "draw", "see", "read", "say", "TF/s see", "TF/s rd", "GB/s say");
    }
    out += entry_line(report, entry);
  }
  return out;
}

}  // namespace

double speedup(const LadderReport& report, const LadderEntry& entry) {
  for (const LadderEntry& first : report.entries) {
    if (first.workload != entry.workload) continue;
    return entry.measured.total_ms > 0 ? first.measured.total_ms / entry.measured.total_ms : 0;
  }
  return 0;
}

std::string ladder_table(const LadderReport& report) {
  std::string out = fmt::format("{}, {}; loaded in {:.0f} ms\nat best here: {:.1f} TFLOP/s in {}, {:.0f} GB/s of copying\n", report.model, report.device,
                                report.load_ms, report.limits.tflops, report.limits_type, report.limits.gbytes);
  out += rows_table(report);
  if (!report.growth.empty()) {
    out += fmt::format("\n{:>5} {:>9} {:>10} {:>10} {:>10} {:>8} {:>9}  | {:>9} {:>10} {:>8}  {:>6} {:>6}\n", "pages", "tokens", "first ms", "vision ms",
                       "prefill ms", "ms/token", "peak MiB", "as text", "first ms", "ms/token", "first", "token");
    for (const GrowthEntry& entry : report.growth) out += growth_line(entry);
  }
  if (report.streamed.scheduled_tokens_per_s > 0) {
    out += fmt::format("\n{} streams on {} documents of {} pages: {:.0f} tokens/s through the scheduler, {:.0f} of the language model alone; {:.0f} MiB\n",
                       report.streams.num_streams, report.streams.num_documents, report.streams.pages_each, report.streamed.scheduled_tokens_per_s,
                       report.streamed.model_tokens_per_s, static_cast<double>(report.streamed.peak_bytes) / kMib);
  }
  if (!report.stream_problem.empty()) out += fmt::format("\n{} streams: {}\n", report.streams.num_streams, report.stream_problem);
  for (const GpuHealth& gpu : report.gpus) {
    if (const std::string warning = slow_warning(gpu); !warning.empty()) out += warning + "\n";
  }
  return out;
}

json::object ladder_json(const LadderReport& report) {
  json::array rows, growth;
  for (const LadderEntry& entry : report.entries) rows.push_back(entry_json(report, entry));
  for (const GrowthEntry& entry : report.growth) growth.push_back(growth_json(entry));
  json::object object{{"model", report.model},
                      {"device", report.device},
                      {"load_ms", rounded(report.load_ms, 1)},
                      {"compile_ms", rounded(report.compile_ms, 1)},
                      {"plan_load_ms", rounded(report.plan_load_ms, 3)},
                      {"limits",
                       {{"type", report.limits_type}, {"tflop_per_s", rounded(report.limits.tflops, 2)}, {"gbyte_per_s", rounded(report.limits.gbytes, 1)}}},
                      {"rows", std::move(rows)}};
  if (!report.gpus.empty()) object["gpus"] = gpus_json(report.gpus);
  if (!report.growth.empty()) {
    object["growth_precision"] = report.growth_precision;
    object["growth"] = std::move(growth);
  }
  if (!report.stream_problem.empty()) object["stream_problem"] = report.stream_problem;
  if (report.streamed.scheduled_tokens_per_s > 0) {
    object["streams"] = {{"streams", report.streams.num_streams},
                         {"documents", report.streams.num_documents},
                         {"pages_each", report.streams.pages_each},
                         {"scheduled_tokens_per_s", rounded(report.streamed.scheduled_tokens_per_s, 1)},
                         {"model_tokens_per_s", rounded(report.streamed.model_tokens_per_s, 1)},
                         {"peak_memory_mib", rounded(static_cast<double>(report.streamed.peak_bytes) / kMib, 1)}};
  }
  return object;
}

}  // namespace glyph
