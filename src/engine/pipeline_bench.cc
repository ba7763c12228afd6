// Times of the page pipeline, phase by phase, with random weights of any size.
//
//   pipeline_bench MODEL_DIR [device=cuda|cpu|auto] [precision=auto|fp32|bf16|fp8|...] [random=SEED] [pages=N] [width=W]
//                  [height=H] [repeat=N] [chunks=N,N,...] [font=FILE] [attention=measured,own,cudnn] [together=N,N,...]
//
// MODEL_DIR holds config.json; weights are made from the seed. Times are those the device measures, of the fastest of
// `repeat` runs; "queued" is how long the host was busy with it. The last table is one document from its text to the first
// token, with the moments at which each step was done.
//
// The same as a library for tools/cuda_timeline.py: one more run of each is traced.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>

#include "engine/encoding.h"
#include "engine/stopwatch.h"
#include "glyph/page_style.h"
#include "language/language_model.h"
#include "ops/page_attention.h"
#include "tensor/cuda_backend.h"
#include "tensor/open_device.h"
#include "vision/vision_model.h"

namespace glyph {
namespace {

struct Options {
  std::string model;
  std::map<std::string, std::string> flags{{"device", "auto"}, {"precision", "auto"}, {"random", "1"}, {"pages", "10"}, {"width", "595"},
                                           {"height", "842"}, {"repeat", "3"}, {"chunks", "1024,2048,4096,8192"}, {"font", ""},
                                           {"attention", ""}, {"together", ""}};

  int64_t number(const std::string& key) const { return std::stoll(flags.at(key)); }
  std::vector<int64_t> numbers(const std::string& key) const {
    std::vector<int64_t> all;
    const std::string& text = flags.at(key);
    for (size_t at = 0; at < text.size(); at = std::min(text.find(',', at), text.size()) + 1) all.push_back(std::stoll(text.substr(at)));
    return all;
  }
};

// Called before and after a run that is to be traced, with its name and whether it begins.
using Watcher = void (*)(const char* name, int begins);

struct Bench {
  Options options;
  Precision precision = Precision::kAuto;
  Watcher watcher = nullptr;
  std::unique_ptr<Device> device;
  ModelConfig config;
  PreprocessorConfig preprocessor;
  Checkpoint checkpoint;
  std::optional<VisionModel> vision;
  std::optional<LanguageModel> language;
  std::vector<Patches> pages;
};

Status load(Bench& bench) {
  const Stopwatch watch;
  const std::string& dir = bench.options.model;
  GLYPH_ASSIGN_OR_RETURN(const DeviceChoice choice, parse_device_choice(bench.options.flags.at("device")));
  GLYPH_ASSIGN_OR_RETURN(bench.precision, parse_precision(bench.options.flags.at("precision")));
  GLYPH_ASSIGN_OR_RETURN(bench.device, open_device({.choice = choice}));
  GLYPH_ASSIGN_OR_RETURN(bench.config, load_model_config(dir));
  GLYPH_ASSIGN_OR_RETURN(bench.preprocessor, load_preprocessor_config(dir, bench.config));
  bench.checkpoint = Checkpoint::random(static_cast<uint64_t>(bench.options.number("random")));
  GLYPH_ASSIGN_OR_RETURN(VisionModel vision,
                         VisionModel::load(*bench.device, bench.config, bench.preprocessor, bench.checkpoint, {bench.precision}));
  bench.vision.emplace(std::move(vision));
  GLYPH_ASSIGN_OR_RETURN(LanguageModel language, LanguageModel::load(*bench.device, bench.config, bench.checkpoint, {bench.precision}));
  bench.language.emplace(std::move(language));
  bench.device->mark()->wait();
  fmt::print("{}; {}; loaded in {:.0f} ms\n", bench.device->description(), ops::page_attention_library(*bench.device), watch.ms());
  return {};
}

// Pages of noise: what is on them costs nothing.
Status make_pages(Bench& bench) {
  uint32_t state = 1;
  for (int64_t i = 0; i < bench.options.number("pages"); ++i) {
    Image image{.width = static_cast<int>(bench.options.number("width")),
                .height = static_cast<int>(bench.options.number("height")),
                .channels = 1,
                .pixels = {}};
    image.pixels.resize(static_cast<size_t>(image.width) * static_cast<size_t>(image.height));
    for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
    GLYPH_ASSIGN_OR_RETURN(Patches patches, make_patches(image, bench.preprocessor));
    bench.pages.push_back(std::move(patches));
  }
  return {};
}

struct Times {
  double device_ms = 1e30, queued_ms = 0, first_ms = 0;
};

// The first run prepares, the second may record; then `repeat` are timed, and one more traced as `name`.
Result<Times> time_of(const Bench& bench, const std::string& name, const std::function<Status()>& work) {
  Times times;
  for (int64_t i = 0; i < bench.options.number("repeat") + 2; ++i) {
    const Stopwatch watch;
    const auto begin = bench.device->mark();
    GLYPH_RETURN_IF_ERROR(work());
    const double queued = watch.ms();
    const double ms = bench.device->mark()->ms_since(*begin);
    GLYPH_RETURN_IF_ERROR(bench.device->take_status());
    if (i == 0) times.first_ms = watch.ms();
    if (i < 2 || ms >= times.device_ms) continue;
    times.device_ms = ms;
    times.queued_ms = queued;
  }
  if (bench.watcher != nullptr) {
    bench.watcher(name.c_str(), 1);
    const Status status = work();
    bench.device->mark()->wait();
    bench.watcher(name.c_str(), 0);
    GLYPH_RETURN_IF_ERROR(status);
  }
  return times;
}

Result<std::vector<PageFeatures>> encode_in(const Bench& bench, int64_t together) {
  std::vector<PageFeatures> all;
  std::span<const Patches> left = bench.pages;
  while (!left.empty()) {
    const size_t count = std::min(left.size(), static_cast<size_t>(together));
    GLYPH_ASSIGN_OR_RETURN(std::vector<PageFeatures> some, bench.vision->encode(left.first(count)));
    std::move(some.begin(), some.end(), std::back_inserter(all));
    left = left.subspan(count);
  }
  return all;
}

void choose_attention(const Bench& bench, ops::PageAttention way) {
  const VisionConfig& v = bench.config.vision;
  for (int64_t pages = 1; pages <= std::ssize(bench.pages); ++pages) {
    ops::choose_page_attention(*bench.device, {pages, bench.pages[0].grid.num_patches(), v.num_heads, v.head_dim()}, way);
  }
}

Status time_vision(Bench& bench) {
  fmt::print("\nvision of {} pages of {} patches\n{:>12}{:>10}{:>10}{:>12}{:>12}{:>12}\n", bench.pages.size(), bench.pages[0].grid.num_patches(),
             "attention", "together", "recorded", "device ms", "queued ms", "first ms");
  std::vector<int64_t> counts = bench.options.numbers("together");
  for (int64_t count = counts.empty() ? std::ssize(bench.pages) : 0; count > 0; count = count > 1 && count < 4 ? 1 : count / 2) counts.push_back(count);
  std::vector<ops::PageAttention> ways{ops::PageAttention::kMeasured};
  if (bench.device->kind() == DeviceKind::kCuda) ways.insert(ways.begin(), {ops::PageAttention::kOwn, ops::PageAttention::kCudnn});
  const std::string& wanted = bench.options.flags.at("attention");
  for (const ops::PageAttention way : ways) {
    if (!wanted.empty() && wanted.find(ops::name_of(way)) == std::string::npos) continue;
    choose_attention(bench, way);
    for (const int64_t together : counts) {
      for (const bool recorded : {false, true}) {
        bench.vision->forget_compiled();
        for (int64_t n = 1; recorded && n <= together; ++n) bench.vision->compile(shape_of(bench.pages[0]), n);
        GLYPH_ASSIGN_OR_RETURN(const Times times, time_of(bench, fmt::format("vision_{}_{}{}", ops::name_of(way), together, recorded ? "_recorded" : ""),
                                                             [&] { return encode_in(bench, together).status(); }));
        fmt::print("{:>12}{:>10}{:>10}{:>12.2f}{:>12.2f}{:>12.1f}\n", ops::name_of(way), together, recorded ? "yes" : "no", times.device_ms,
                   times.queued_ms, times.first_ms);
        std::fflush(stdout);
      }
    }
  }
  bench.vision->forget_compiled();
  return {};
}

// Pages between marks, then a question, as a chat template has them.
std::vector<int32_t> prompt_of(const Bench& bench, std::span<const PageFeatures> pages, int question_tokens) {
  std::vector<int32_t> ids{1, 2, 3, 4};
  for (const PageFeatures& page : pages) {
    ids.push_back(5);
    ids.insert(ids.end(), static_cast<size_t>(page.num_tokens()), bench.config.image_token_id);
    ids.push_back(6);
  }
  for (int i = 0; i < question_tokens; ++i) ids.push_back(7 + i % 50);
  return ids;
}

Status time_prefill(const Bench& bench) {
  GLYPH_ASSIGN_OR_RETURN(const std::vector<PageFeatures> pages, encode_in(bench, std::ssize(bench.pages)));
  std::vector<const PageFeatures*> pointers;
  for (const PageFeatures& page : pages) pointers.push_back(&page);
  const std::vector<int32_t> ids = prompt_of(bench, pages, 20), question(ids.end() - 20, ids.end());
  KvBlockPool pool(*bench.device, bench.language->kv_layout());
  fmt::print("\nprefill of {} tokens\n{:>12}{:>12}{:>12}{:>12}\n", ids.size(), "chunk", "device ms", "queued ms", "first ms");
  for (const int64_t chunk : bench.options.numbers("chunks")) {
    GLYPH_ASSIGN_OR_RETURN(const Times times, time_of(bench, fmt::format("prefill_{}", chunk), [&]() -> Status {
      KvCache cache(pool);
      return bench.language->prefill(ids, pointers, cache, {.chunk_tokens = chunk}).status();
    }));
    fmt::print("{:>12}{:>12.2f}{:>12.2f}{:>12.1f}\n", chunk, times.device_ms, times.queued_ms, times.first_ms);
    std::fflush(stdout);
  }
  KvCache cache(pool);
  GLYPH_RETURN_IF_ERROR(bench.language->prefill(ids, pointers, cache).status());
  GLYPH_ASSIGN_OR_RETURN(const Times later, time_of(bench, "later", [&]() -> Status {
    KvCache copy = cache.fork();
    return bench.language->prefill(question, {}, copy).status();
  }));
  fmt::print("{:>12}{:>12.2f}{:>12.2f}   a question of 20 tokens on what was read\n", "later", later.device_ms, later.queued_ms);
  const int32_t token = 9;
  KvCache* caches[] = {&cache};
  GLYPH_ASSIGN_OR_RETURN(const Times step, time_of(bench, "decode", [&] { return bench.language->decode(std::span(&token, 1), caches).status(); }));
  fmt::print("{:>12}{:>12.2f}{:>12.2f}   one token\n", "decode", step.device_ms, step.queued_ms);
  return {};
}

Document text_of_pages(int64_t pages) {
  Document document;
  document.name = "text";
  std::string text;
  uint32_t state = 7;
  while (static_cast<int64_t>(text.size()) < pages * 8600) {
    for (int i = 0; i < 2 + static_cast<int>(state % 9); ++i) text += static_cast<char>('a' + (state = state * 1664525u + 1013904223u) % 26);
    text += ' ';
  }
  document.blocks.push_back({Block::Kind::kText, std::move(text), {}});
  return document;
}

struct Moment {
  std::string what;
  double host_ms;
  std::unique_ptr<DeviceMark> mark;
};

// From text to the logits of the first token.
Status run_pipeline(const Bench& bench, const PageBatches& batches, std::vector<Moment>& moments) {
  const Document document = text_of_pages(bench.options.number("pages"));
  PageStyle style = PageStyle::english();
  if (!bench.options.flags.at("font").empty()) style.font_path = bench.options.flags.at("font");
  DrawingOptions drawing_options{.preprocessor = bench.preprocessor};
  drawing_options.cut_patches = true;
  const Stopwatch watch;
  const auto note = [&](std::string what) { moments.push_back({std::move(what), watch.ms(), bench.device->mark()}); };
  note("begin");
  GLYPH_ASSIGN_OR_RETURN(const auto drawing, Drawing::start(document, style, drawing_options, {}));
  Encoding encoding(*bench.device, *bench.vision, batches, *drawing);
  for (size_t before = 0;; before = encoding.num_pages()) {
    GLYPH_ASSIGN_OR_RETURN(const bool more, encoding.step({}));
    if (!more) break;
    note(fmt::format("vision of {} pages", encoding.num_pages() - before));
  }
  const DrawingTotals totals = drawing->totals();
  const std::vector<PageFeatures> pages = encoding.take_pages();
  std::vector<const PageFeatures*> pointers;
  for (const PageFeatures& page : pages) pointers.push_back(&page);
  KvBlockPool pool(*bench.device, bench.language->kv_layout());
  KvCache cache(pool);
  const std::vector<int32_t> ids = prompt_of(bench, pages, 20);
  GLYPH_RETURN_IF_ERROR(bench.language->prefill(ids, pointers, cache).status());
  note(fmt::format("prefill of {} tokens", ids.size()));
  moments.front().what = fmt::format("{} pages drawn and cut in {:.1f} ms", totals.num_pages, totals.seconds * 1e3);
  return {};
}

Status time_pipeline(const Bench& bench) {
  struct Way {
    const char* name;
    const char* trace;
    PageBatches batches;
  };
  const Way ways[] = {{"page by page", "pages_one_by_one", PageBatches(DeviceKind::kCpu)},
                      {"together", "pages_together", PageBatches(DeviceKind::kCuda)}};
  for (const Way& way : ways) {
    for (int i = 0; i < 3; ++i) {
      std::vector<Moment> moments;
      const bool traced = i == 2 && bench.watcher != nullptr;
      if (traced) bench.watcher(way.trace, 1);
      GLYPH_RETURN_IF_ERROR(run_pipeline(bench, way.batches, moments));
      if (traced) moments.back().mark->wait();
      if (traced) bench.watcher(way.trace, 0);
      if (i < 2) continue;
      fmt::print("\nfrom text to the first token, {}\n{:>12}{:>12}\n", way.name, "host ms", "device ms");
      for (Moment& moment : moments) {
        fmt::print("{:>12.2f}{:>12.2f}   {}\n", moment.host_ms, moment.mark->ms_since(*moments.front().mark), moment.what);
      }
    }
  }
  return {};
}

Status run(const Options& options, Watcher watcher) {
  Bench bench;
  bench.options = options;
  bench.watcher = watcher;
  GLYPH_RETURN_IF_ERROR(load(bench));
  GLYPH_RETURN_IF_ERROR(make_pages(bench));
  GLYPH_RETURN_IF_ERROR(time_vision(bench));
  GLYPH_RETURN_IF_ERROR(time_prefill(bench));
  GLYPH_RETURN_IF_ERROR(time_pipeline(bench));
  if (bench.device->kind() != DeviceKind::kCuda) return {};
  GLYPH_ASSIGN_OR_RETURN(const DeviceMemoryUse use, cuda_memory_use(*bench.device));
  fmt::print("\n{} MiB of GPU memory held\n", use.held_bytes >> 20);
  return {};
}

}  // namespace
}  // namespace glyph

extern "C" int pipeline_bench(int argc, char** argv, glyph::Watcher watcher) {
  glyph::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    const size_t equals = text.find('=');
    if (i == 1) {
      options.model = text;
    } else if (equals == std::string::npos || !options.flags.contains(text.substr(0, equals))) {
      std::fprintf(stderr, "pipeline_bench: unknown option %s\n", argv[i]);
      return 2;
    } else {
      options.flags[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  const glyph::Status status = argc < 2 ? glyph::usage_error("MODEL_DIR is missing") : glyph::run(options, watcher);
  if (status.ok()) return 0;
  std::fprintf(stderr, "pipeline_bench: %s\n", status.message().c_str());
  return 1;
}

int main(int argc, char** argv) { return pipeline_bench(argc, argv, nullptr); }
