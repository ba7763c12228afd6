// Runs a model directory on pages and token ids, for comparison with transformers
// (tools/model_oracle/compare.py, bench/model).
//
//   model_stages MODEL_DIR IN.safetensors OUT.safetensors [precision=f32|bf16|auto] [threads=N] [tokens=N]
//   [chunk=N] [stages=0|1]
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

#include "language/language_model.h"
#include "tensor/cpu_device.h"
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
      {"precision", "auto"}, {"threads", "0"}, {"tokens", "16"}, {"chunk", "1024"}, {"stages", "0"}};

  int64_t number(const std::string& key) const { return std::stoll(flags.at(key)); }
  Precision precision() const {
    const std::string& text = flags.at("precision");
    return text == "f32" ? Precision::kF32 : text == "bf16" ? Precision::kBF16 : Precision::kAuto;
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
  void add(std::string_view stage, const ConstTensorView& values) {
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
  std::map<std::string, Rows> stages_;
};

std::span<const float> last_row(const Tensor& logits) {
  return {logits.data<float>(), static_cast<size_t>(logits.shape().num_elements())};
}

struct Report {
  Times load, prefill, decode;  // decode: a token
  std::vector<Times> pages;
};

void print(const Options& options, const CpuDevice& device, const Inputs& inputs, const Report& report) {
  Times pages;
  double fastest = 0;
  for (const Times& page : report.pages) {
    pages.wall_ms += page.wall_ms;
    pages.cpu_ms += page.cpu_ms;
    fastest = fastest == 0 ? page.wall_ms : std::min(fastest, page.wall_ms);
  }
  const double count = std::max<double>(1.0, static_cast<double>(report.pages.size()));
  fmt::print(
      "{{\"device\":\"{}\",\"precision\":\"{}\",\"load_ms\":{:.1f},\"pages\":{},\"pages_ms\":{:.1f},\"page_"
      "ms\":{:.1f},"
      "\"page_cpu_ms\":{:.1f},\"prompt_tokens\":{},\"prefill_ms\":{:.1f},\"prefill_cpu_ms\":{:.1f},\"decode_"
      "ms\":{:.3f},"
      "\"decode_cpu_ms\":{:.3f},\"peak_mib\":{}}}\n",
      device.description(), options.flags.at("precision"), report.load.wall_ms, report.pages.size(),
      pages.wall_ms, fastest, pages.cpu_ms / count, inputs.ids.size(), report.prefill.wall_ms,
      report.prefill.cpu_ms, report.decode.wall_ms, report.decode.cpu_ms, peak_mib());
}

Status run(const Options& options) {
  CpuDevice device({.num_threads = static_cast<int>(options.number("threads"))});
  Report report;
  const Stopwatch loading;
  GLYPH_ASSIGN_OR_RETURN(const ModelConfig config, load_model_config(options.model));
  GLYPH_ASSIGN_OR_RETURN(const PreprocessorConfig preprocessor,
                         load_preprocessor_config(options.model, config));
  GLYPH_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::open(options.model));
  GLYPH_ASSIGN_OR_RETURN(VisionModel vision,
                         VisionModel::load(device, config, preprocessor, checkpoint, {options.precision()}));
  GLYPH_ASSIGN_OR_RETURN(LanguageModel language,
                         LanguageModel::load(device, config, checkpoint, {options.precision()}));
  report.load = loading.elapsed();

  Stages stages;
  if (options.number("stages") != 0) {
    const auto keep = [&](std::string_view stage, const ConstTensorView& values) {
      stages.add(stage, values);
    };
    vision.observe(keep);
    language.observe(keep);
  }
  GLYPH_ASSIGN_OR_RETURN(const Inputs inputs, read_inputs(options.input));
  std::vector<PageFeatures> features;
  for (const Image& page : inputs.pages) {
    const Stopwatch encoding;
    GLYPH_ASSIGN_OR_RETURN(PageFeatures encoded, vision.encode(page));
    report.pages.push_back(encoding.elapsed());
    features.push_back(std::move(encoded));
  }
  std::vector<const PageFeatures*> pages;
  for (const PageFeatures& page : features) pages.push_back(&page);

  KvBlockPool pool(device, language.kv_layout());
  KvCache cache(pool);
  const Stopwatch reading;
  GLYPH_ASSIGN_OR_RETURN(
      Tensor logits, language.prefill(inputs.ids, pages, cache, {.chunk_tokens = options.number("chunk")}));
  report.prefill = reading.elapsed();
  language.observe({});

  SafetensorsWriter writer;
  writer.add_f32("logits", {config.text.vocab_size}, last_row(logits));
  std::vector<int32_t> tokens;
  const auto num_tokens = static_cast<size_t>(options.number("tokens"));
  const Stopwatch decoding;
  while (tokens.size() < num_tokens) {
    const std::span<const float> row = last_row(logits);
    tokens.push_back(static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
    if (tokens.size() == num_tokens) break;
    KvCache* caches[] = {&cache};
    GLYPH_ASSIGN_OR_RETURN(Tensor next, language.decode(std::span(&tokens.back(), 1), caches));
    logits = std::move(next);
  }
  const double steps = std::max(1.0, static_cast<double>(num_tokens) - 1.0);
  report.decode = {decoding.elapsed().wall_ms / steps, decoding.elapsed().cpu_ms / steps};
  writer.add_f32("last_logits", {config.text.vocab_size}, last_row(logits));
  writer.add("tokens", StoredType::kI32, {std::ssize(tokens)},
             std::span(reinterpret_cast<const uint8_t*>(tokens.data()), tokens.size() * sizeof(int32_t)));
  stages.write(writer);
  GLYPH_RETURN_IF_ERROR(writer.write(options.output));
  print(options, device, inputs, report);
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
