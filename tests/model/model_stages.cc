// Runs a model directory on pages and token ids, for comparison with transformers
// (tools/model_oracle/compare.py, bench/model).
//
//   model_stages MODEL_DIR IN.safetensors OUT.safetensors [device=cpu|cuda|auto] [precision=f32|bf16|fp16|fp8|int8|int4|auto]
//   [threads=N] [tokens=N] [chunk=N] [stages=0|1|NAME,NAME,...] [together=0|1] [random=SEED] [repeat=N]
//
// together=1 encodes all pages in one pass. random=SEED reads only configurations from MODEL_DIR and makes the weights.
// repeat=N encodes, reads and decodes N times; times are those of the fastest.
//
// IN holds page.0, page.1, ... (height, width, channels) u8 and ids (n) i32. OUT gets logits, last_logits,
// tokens and, with stages=1, what the models computed on the way. Times go to stdout as one JSON object.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <optional>

#include "language/language_model.h"
#include "tensor/cuda_backend.h"
#include "tensor/open_device.h"
#include "vision/vision_model.h"
#include "weights/safetensors_writer.h"

namespace glyph {
namespace {

// Wall-clock time and the time all threads of this process computed; on a busy machine only the second means
// something.
struct Times {
  double wall_ms = 0;
  double cpu_ms = 0;
};

class Stopwatch {
 public:
  Times elapsed() const {
    return {std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - wall_).count(),
            cpu_milliseconds() - cpu_};
  }

 private:
  static double cpu_milliseconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
  }
  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_milliseconds();
};

// Most memory resident at once. Not getrusage: that remembers the parent's from before exec.
int64_t peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) / 1024;
  }
  return 0;
}

struct Options {
  std::string model, input, output;
  std::map<std::string, std::string> flags{
      {"device", "cpu"},  {"precision", "auto"}, {"threads", "0"}, {"tokens", "16"}, {"chunk", "0"},
      {"stages", "0"},    {"together", "0"},     {"random", ""},   {"repeat", "1"}};

  int64_t number(const std::string& key) const { return std::stoll(flags.at(key)); }
  Precision precision() const {
    const std::string& text = flags.at("precision");
    const Result<Precision> precision = parse_precision(text == "f32" ? "fp32" : text);
    return precision.ok() ? *precision : Precision::kAuto;
  }
};

struct Inputs {
  std::vector<Image> pages;
  std::vector<int32_t> ids;
};

Result<Inputs> read_inputs(const std::string& file) {
  GLYPH_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::open_file(file));
  Inputs inputs;
  for (int i = 0; checkpoint.contains(fmt::format("page.{}", i)); ++i) {
    GLYPH_ASSIGN_OR_RETURN(const TensorRef page, checkpoint.tensor(fmt::format("page.{}", i)));
    inputs.pages.push_back({.width = static_cast<int>(page.shape[1]),
                            .height = static_cast<int>(page.shape[0]),
                            .channels = static_cast<int>(page.shape[2]),
                            .pixels = {page.bytes.begin(), page.bytes.end()}});
  }
  GLYPH_ASSIGN_OR_RETURN(const TensorRef ids, checkpoint.tensor("ids"));
  inputs.ids.resize(ids.bytes.size() / sizeof(int32_t));
  std::memcpy(inputs.ids.data(), ids.bytes.data(), ids.bytes.size());
  return inputs;
}

// Collects the rows of each stage over all pages and chunks.
class Stages {
 public:
  // "1": all, else names between commas.
  explicit Stages(const std::string& wanted) : all_(wanted == "1"), wanted_("," + wanted + ",") {}

  void add(std::string_view stage, const ConstTensorView& values) {
    if (!all_ && wanted_.find(fmt::format(",{},", stage)) == std::string::npos) return;
    Rows& rows = stages_[std::string(stage)];
    rows.width = values.size(1);
    for (int64_t i = 0; i < values.size(0); ++i) {
      for (int64_t j = 0; j < values.size(1); ++j) rows.values.push_back(value_at(values, {i, j}));
    }
  }
  void write(SafetensorsWriter& writer) const {
    for (const auto& [name, rows] : stages_) {
      writer.add_f32(name, {static_cast<int64_t>(rows.values.size()) / rows.width, rows.width}, rows.values);
    }
  }

 private:
  struct Rows {
    int64_t width = 0;
    std::vector<float> values;
  };
  bool all_;
  std::string wanted_;
  std::map<std::string, Rows> stages_;
};

struct Report {
  Times load, patches, prefill, decode;  // patches: of all pages, together=1; decode: a token
  std::vector<Times> passes;    // of the vision model: one a page, or one for all
};

uint64_t gpu_mib(Device& device) {
  if (device.kind() != DeviceKind::kCuda) return 0;
  const Result<DeviceMemoryUse> use = cuda_memory_use(device);
  return use.ok() ? use->held_bytes >> 20 : 0;
}

void print(const Options& options, Device& device, const Inputs& inputs, const Report& report) {
  Times pages;
  double fastest = 0;
  for (const Times& pass : report.passes) {
    pages.wall_ms += pass.wall_ms;
    pages.cpu_ms += pass.cpu_ms;
    fastest = fastest == 0 ? pass.wall_ms : std::min(fastest, pass.wall_ms);
  }
  const double count = std::max<double>(1.0, static_cast<double>(report.passes.size()));
  fmt::print(
      "{{\"device\":\"{}\",\"precision\":\"{}\",\"load_ms\":{:.1f},\"patches_ms\":{:.1f},\"pages\":{},\"pages_ms\":{:.1f},\"page_"
      "ms\":{:.1f},"
      "\"page_cpu_ms\":{:.1f},\"prompt_tokens\":{},\"prefill_ms\":{:.1f},\"prefill_cpu_ms\":{:.1f},\"decode_"
      "ms\":{:.3f},"
      "\"decode_cpu_ms\":{:.3f},\"peak_mib\":{},\"gpu_mib\":{}}}\n",
      device.description(), options.flags.at("precision"), report.load.wall_ms, report.patches.wall_ms, inputs.pages.size(),
      pages.wall_ms, fastest, pages.cpu_ms / count, inputs.ids.size(), report.prefill.wall_ms,
      report.prefill.cpu_ms, report.decode.wall_ms, report.decode.cpu_ms, peak_mib(), gpu_mib(device));
}

Result<Checkpoint> open_checkpoint(const Options& options) {
  if (options.flags.at("random").empty()) return Checkpoint::open(options.model);
  return Checkpoint::random(static_cast<uint64_t>(options.number("random")));
}

struct Loaded {
  ModelConfig config;
  Checkpoint checkpoint;
  std::optional<VisionModel> vision;
  std::optional<LanguageModel> language;
};

Status load(const Options& options, Device& device, Loaded& loaded) {
  GLYPH_ASSIGN_OR_RETURN(loaded.config, load_model_config(options.model));
  GLYPH_ASSIGN_OR_RETURN(const PreprocessorConfig preprocessor,
                         load_preprocessor_config(options.model, loaded.config));
  GLYPH_ASSIGN_OR_RETURN(loaded.checkpoint, open_checkpoint(options));
  GLYPH_ASSIGN_OR_RETURN(VisionModel vision, VisionModel::load(device, loaded.config, preprocessor,
                                                               loaded.checkpoint, {options.precision()}));
  loaded.vision.emplace(std::move(vision));
  GLYPH_ASSIGN_OR_RETURN(LanguageModel language, LanguageModel::load(device, loaded.config, loaded.checkpoint,
                                                                     {options.precision()}));
  loaded.language.emplace(std::move(language));
  return {};
}

// Waits for what a pass queued: a download does.
void wait_for(Device& device, const PageFeatures& features) {
  const ConstTensorView values = features.values.view();
  host_copy(device, values.rows(0, 1));
}

Result<std::vector<PageFeatures>> encode(const Options& options, Device& device, const VisionModel& vision,
                                         const Inputs& inputs, Report& report) {
  if (options.number("together") != 0) {
    const Stopwatch cutting;
    std::vector<Patches> patches;
    for (const Image& page : inputs.pages) {
      GLYPH_ASSIGN_OR_RETURN(Patches cut, make_patches(page, vision.preprocessor()));
      patches.push_back(std::move(cut));
    }
    report.patches = cutting.elapsed();
    const Stopwatch watch;
    GLYPH_ASSIGN_OR_RETURN(std::vector<PageFeatures> features, vision.encode(patches));
    if (!features.empty()) wait_for(device, features.back());
    report.passes.push_back(watch.elapsed());
    return features;
  }
  std::vector<PageFeatures> features;
  for (const Image& page : inputs.pages) {
    const Stopwatch watch;
    GLYPH_ASSIGN_OR_RETURN(PageFeatures encoded, vision.encode(page));
    wait_for(device, encoded);
    report.passes.push_back(watch.elapsed());
    features.push_back(std::move(encoded));
  }
  return features;
}

// What one run through a prompt and its continuation gives.
struct Answer {
  std::vector<float> logits, last_logits;  // (vocab_size)
  std::vector<int32_t> tokens;
};

Result<Answer> answer(const Options& options, LanguageModel& language, const Inputs& inputs,
                      const std::vector<const PageFeatures*>& pages, KvBlockPool& pool, Report& report) {
  KvCache cache(pool);
  const Stopwatch reading;
  Answer answer;
  GLYPH_ASSIGN_OR_RETURN(Logits logits, language.prefill(inputs.ids, pages, cache, {.chunk_tokens = options.number("chunk")}));
  report.prefill = reading.elapsed();
  language.observe({});
  GLYPH_ASSIGN_OR_RETURN(std::span<const float> row, logits.row(0).all());
  answer.logits.assign(row.begin(), row.end());
  const auto num_tokens = static_cast<size_t>(options.number("tokens"));
  const Stopwatch decoding;
  while (answer.tokens.size() < num_tokens) {
    answer.tokens.push_back(static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
    if (answer.tokens.size() == num_tokens) break;
    KvCache* caches[] = {&cache};
    GLYPH_ASSIGN_OR_RETURN(logits, language.decode(std::span(&answer.tokens.back(), 1), caches));
    GLYPH_ASSIGN_OR_RETURN(row, logits.row(0).all());
  }
  const double steps = std::max(1.0, static_cast<double>(num_tokens) - 1.0);
  report.decode = {decoding.elapsed().wall_ms / steps, decoding.elapsed().cpu_ms / steps};
  answer.last_logits.assign(row.begin(), row.end());
  return answer;
}

double total_ms(const Report& report) {
  double sum = report.prefill.wall_ms + report.decode.wall_ms;
  for (const Times& pass : report.passes) sum += pass.wall_ms;
  return sum;
}

Status write_output(const Options& options, const Answer& answer, const Stages& stages) {
  SafetensorsWriter writer;
  writer.add_f32("logits", {std::ssize(answer.logits)}, answer.logits);
  writer.add_f32("last_logits", {std::ssize(answer.last_logits)}, answer.last_logits);
  const auto* bytes = reinterpret_cast<const uint8_t*>(answer.tokens.data());
  writer.add("tokens", StoredType::kI32, {std::ssize(answer.tokens)},
             std::span(bytes, answer.tokens.size() * sizeof(int32_t)));
  stages.write(writer);
  return writer.write(options.output);
}

Status run(const Options& options) {
  GLYPH_ASSIGN_OR_RETURN(const DeviceChoice choice, parse_device_choice(options.flags.at("device")));
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device,
                         open_device({.choice = choice, .num_threads = static_cast<int>(options.number("threads"))}));
  Report best;
  const Stopwatch loading;
  Loaded model;
  GLYPH_RETURN_IF_ERROR(load(options, *device, model));
  best.load = loading.elapsed();

  Stages stages(options.flags.at("stages"));
  if (options.flags.at("stages") != "0") {
    const auto keep = [&](std::string_view stage, const ConstTensorView& values) {
      stages.add(stage, values);
    };
    model.vision->observe(keep);
    model.language->observe(keep);
  }
  GLYPH_ASSIGN_OR_RETURN(const Inputs inputs, read_inputs(options.input));
  KvBlockPool pool(*device, model.language->kv_layout());
  for (int64_t i = 0; i < std::max<int64_t>(1, options.number("repeat")); ++i) {
    Report report;
    report.load = best.load;
    GLYPH_ASSIGN_OR_RETURN(const std::vector<PageFeatures> features,
                           encode(options, *device, *model.vision, inputs, report));
    std::vector<const PageFeatures*> pages;
    for (const PageFeatures& page : features) pages.push_back(&page);
    GLYPH_ASSIGN_OR_RETURN(const Answer result, answer(options, *model.language, inputs, pages, pool, report));
    model.vision->observe({});
    if (i == 0) GLYPH_RETURN_IF_ERROR(write_output(options, result, stages));
    if (best.passes.empty() || total_ms(report) < total_ms(best)) best = report;
  }
  print(options, *device, inputs, best);
  return {};
}

}  // namespace
}  // namespace glyph

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: model_stages MODEL_DIR IN.safetensors OUT.safetensors [key=value ...]\n", stderr);
    return 2;
  }
  glyph::Options options{.model = argv[1], .input = argv[2], .output = argv[3]};
  for (int i = 4; i < argc; ++i) {
    const std::string text = argv[i];
    const size_t equals = text.find('=');
    if (equals == std::string::npos || !options.flags.contains(text.substr(0, equals))) {
      std::fprintf(stderr, "model_stages: unknown option %s\n", argv[i]);
      return 2;
    }
    options.flags[text.substr(0, equals)] = text.substr(equals + 1);
  }
  const glyph::Status status = glyph::run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "model_stages: %s\n", status.message().c_str());
  return 1;
}
