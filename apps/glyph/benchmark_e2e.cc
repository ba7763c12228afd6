// bench e2e: one question about a generated document, from its text to the last token.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>

#include "answer_json.h"
#include "ask_options.h"
#include "benchmarks.h"
#include "engine/stopwatch.h"
#include "json_text.h"

namespace glyph {
namespace {

namespace json = boost::json;

constexpr int64_t kAnswerTokens = 64;
constexpr size_t kCharactersAPage = 8900;  // of this text in the default style, a little less than a page holds

constexpr std::array kWords{"the",   "of",    "river",  "a",       "council", "and",   "letter", "winter",  "to",     "in",
                            "paper", "north", "engine", "carried", "small",   "was",   "number", "meeting", "answer", "several",
                            "when",  "after", "market", "quietly", "found",   "their", "report", "harbour", "early",  "with"};

}  // namespace

std::string generated_text(int64_t pages, uint32_t seed) {
  std::mt19937 random(seed);
  std::string text;
  size_t words_in_sentence = 0;
  const size_t wanted = static_cast<size_t>(pages) * kCharactersAPage;
  while (text.size() < wanted) {
    if (words_in_sentence == 0 && !text.empty()) text += random() % 6 == 0 ? ".\n" : ". ";
    else if (!text.empty()) text += ' ';
    text += kWords[random() % kWords.size()];
    words_in_sentence = (words_in_sentence + 1) % (8 + random() % 9);
  }
  return text + ".";
}

namespace {

std::shared_ptr<const Document> generated_document(int64_t pages) {
  Document document;
  document.name = fmt::format("generated, {} pages", pages);
  document.format = "txt";
  document.blocks.push_back({Block::Kind::kText, generated_text(pages), {}});
  return std::make_shared<const Document>(std::move(document));
}

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::string table_row(size_t run, const AskResult& result) {
  const AskTimings& t = result.timings;
  const double decode_rate = static_cast<double>(result.usage.completion_tokens - 1) * 1e3 / std::max(t.decode_ms, 1e-3);
  return fmt::format("{:3}  {:5} {:7} {:9.1f} {:9.1f} {:9.1f} {:9.1f} {:9.1f} {:8.1f}\n", run, result.pages, result.usage.prompt_tokens,
                     t.render_ms, t.vision_ms, t.prefill_ms, t.ttft_ms, t.total_ms, decode_rate);
}

}  // namespace

Result<BenchReport> report_e2e(const Settings& settings, const BenchArguments& arguments, std::stop_token stop) {
  GLYPH_ASSIGN_OR_RETURN(AskRequest request, request_template(settings));
  const Stopwatch load_watch;
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, open_engine(settings));
  const double load_ms = load_watch.ms();
  request.document = generated_document(arguments.pages);
  request.question = "Write out the first line.";
  request.max_tokens = arguments.max_tokens > 0 ? arguments.max_tokens : kAnswerTokens;

  BenchReport report;
  json::array runs;
  report.table = fmt::format("{}, {}; loaded in {:.0f} ms\nrun  pages  prompt   draw ms encode ms  prefill first tok     total  tok/s\n",
                             engine->model().name(), engine->model().device().description(), load_ms);
  for (int64_t run = 0; run < arguments.repeats; ++run) {
    GLYPH_ASSIGN_OR_RETURN(const AskResult result, engine->ask(request, {}, stop));
    report.table += table_row(static_cast<size_t>(run) + 1, result);
    json::object entry = answer_json(result);
    entry.erase("answer");
    runs.push_back(std::move(entry));
  }
  report.table += fmt::format("peak memory {:.0f} MiB\n", peak_memory_mib());
  report.data = {{"model", engine->model().name()},     {"device", engine->model().device().description()},
                 {"load_ms", rounded(load_ms, 1)},      {"peak_memory_mib", rounded(peak_memory_mib(), 1)},
                 {"runs", std::move(runs)}};
  return report;
}

}  // namespace glyph
