// The language model on one GPU and on several: the same answers, how long they take, and what a sum over the GPUs takes.
//
//   parallel_bench TINY_MODEL_DIR [gpus=2] [precisions=bf16,fp8] [tokens=6358] [steps=64] [repeat=3] [phases=parity,sums,speed]
//
// TINY_MODEL_DIR holds the config.json of a tiny model. Times are of random weights of the 9B's size, from the call to the largest
// logits in host memory, of the fastest run; "nccl" leaves all sums to NCCL. Ends with 1 when answers of the tiny model differ, or logits of the
// large one are no numbers; how far these are from one GPU's is printed and not judged: shares of quantised rows have other scales.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <string>

#include "language/language_model.h"
#include "parallel/device_group.h"
#include "tensor/cuda_backend.h"
#include "weights/stand_in.h"

namespace glyph {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string tiny;
  std::map<std::string, std::string> flags{{"gpus", "2"}, {"precisions", "bf16,fp8"}, {"tokens", "6358"}, {"steps", "64"},
                                           {"repeat", "3"}, {"phases", "parity,sums,speed"}};

  int64_t number(const std::string& key) const { return std::stoll(flags.at(key)); }
  std::vector<std::string> list(const std::string& key) const {
    std::vector<std::string> words;
    const std::string& text = flags.at(key);
    for (size_t at = 0; at < text.size();) {
      const size_t comma = std::min(text.find(',', at), text.size());
      words.push_back(text.substr(at, comma - at));
      at = comma + 1;
    }
    return words;
  }
  bool has(const std::string& phase) const {
    const std::vector<std::string> phases = list("phases");
    return std::find(phases.begin(), phases.end(), phase) != phases.end();
  }
};

double ms_since(Clock::time_point begin) { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); }

// GPUs that compute one model together.
struct Gpus {
  std::vector<std::unique_ptr<Device>> devices;
  std::unique_ptr<DeviceGroup> group;

  static Result<Gpus> open(int count, bool one_shot) {
    Gpus gpus;
    std::vector<Device*> pointers;
    for (int index = 0; index < count; ++index) {
      GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, open_cuda_device({.index = index}));
      gpus.devices.push_back(std::move(device));
      pointers.push_back(gpus.devices.back().get());
    }
    GLYPH_ASSIGN_OR_RETURN(gpus.group, DeviceGroup::open(pointers, {.one_shot = one_shot}));
    return gpus;
  }
};

std::vector<int32_t> text_of(int64_t tokens, int64_t vocab_size) {
  std::vector<int32_t> ids;
  uint32_t state = 5;
  for (int64_t i = 0; i < tokens; ++i) ids.push_back(static_cast<int32_t>((state = state * 1664525u + 1013904223u) % static_cast<uint32_t>(vocab_size - 20)));
  return ids;
}

int32_t likeliest(std::span<const float> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

struct Answer {
  std::vector<float> logits;  // of the prompt and of each token after it
  std::vector<int32_t> tokens;
};

// Greedy tokens; or those of `given`, so that logits can be compared after the first that differs.
Result<Answer> answer(const LanguageModel& language, DeviceGroup& group, std::span<const int32_t> ids, int64_t steps,
                      std::span<const int32_t> given = {}) {
  KvBlockPool pool(group.devices(), language.kv_layout());
  KvCache cache(pool);
  KvCache* const caches[] = {&cache};
  Answer answer;
  GLYPH_ASSIGN_OR_RETURN(Logits next, language.prefill(ids, {}, cache));
  for (int64_t step = 0;; ++step) {
    GLYPH_ASSIGN_OR_RETURN(const std::span<const float> row, next.row(0).all());
    answer.logits.insert(answer.logits.end(), row.begin(), row.end());
    answer.tokens.push_back(likeliest(row));
    if (step == steps) return answer;
    const int32_t token = given.empty() ? answer.tokens.back() : given[static_cast<size_t>(step)];
    GLYPH_ASSIGN_OR_RETURN(next, language.decode(std::span(&token, 1), caches));
  }
}

double max_difference(const Answer& a, const Answer& b) {
  double worst = a.logits.size() == b.logits.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.logits.size(), b.logits.size()); ++i) {
    const double difference = std::abs(static_cast<double>(a.logits[i]) - b.logits[i]);
    worst = std::isfinite(difference) ? std::max(worst, difference) : INFINITY;
  }
  return worst;
}

// A tiny model on one GPU and on all, prompts of few rows and of many.
Result<bool> check_parity(const Options& options) {
  GLYPH_ASSIGN_OR_RETURN(const ModelConfig config, load_model_config(options.tiny));
  const Checkpoint checkpoint = Checkpoint::random(3);
  const auto count = static_cast<int>(options.number("gpus"));
  fmt::print("\nparity of the tiny model, {} GPUs against one, 64 greedy tokens\n{:>10}{:>10}{:>10}{:>14}{:>10}\n", count, "precision", "sums",
             "prompt", "max diff", "tokens");
  bool same = true;
  for (const auto& [precision, limit] : {std::pair{Precision::kF32, 1e-4}, std::pair{Precision::kBF16, 0.15}}) {
    GLYPH_ASSIGN_OR_RETURN(Gpus one, Gpus::open(1, true));
    GLYPH_ASSIGN_OR_RETURN(const LanguageModel alone, LanguageModel::load(*one.group, config, checkpoint, {precision}));
    for (const bool one_shot : {false, true}) {
      GLYPH_ASSIGN_OR_RETURN(Gpus all, Gpus::open(count, one_shot));
      GLYPH_ASSIGN_OR_RETURN(const LanguageModel shared, LanguageModel::load(*all.group, config, checkpoint, {precision}));
      for (const int64_t tokens : {40, 700}) {
        const std::vector<int32_t> ids = text_of(tokens, config.text.vocab_size);
        GLYPH_ASSIGN_OR_RETURN(const Answer expected, answer(alone, *one.group, ids, 63));
        GLYPH_ASSIGN_OR_RETURN(const Answer got, answer(shared, *all.group, ids, 63, expected.tokens));
        const double difference = max_difference(expected, got);
        const bool tokens_same = expected.tokens == got.tokens;
        same = same && difference < limit && (tokens_same || precision != Precision::kF32);
        fmt::print("{:>10}{:>10}{:>10}{:>14.2e}{:>10}\n", name_of(precision), one_shot ? "own" : "nccl", tokens, difference, tokens_same ? "same" : "differ");
        std::fflush(stdout);
      }
    }
  }
  return same;
}

// A sum of (rows, 4096), recorded 80 times over; microseconds of one.
Result<double> sum_us(Gpus& gpus, DType type, int64_t rows) {
  constexpr int kSums = 80, kRepeats = 20;
  double us = 0;
  const Status status = gpus.group->run([&](int rank) -> Status {
    Device& device = gpus.group->device(rank);
    Tensor x(device, type, {rows, 4096});
    const auto queue = [&] {
      for (int i = 0; i < kSums; ++i) gpus.group->communicator(rank).all_reduce(x.view());
    };
    queue();
    const auto recorded = device.record(queue);
    GLYPH_RETURN_IF_ERROR(gpus.group->agree(rank, recorded == nullptr ? internal_error("nothing was recorded") : Status()));
    recorded->repeat();
    const auto begin = device.mark();
    for (int i = 0; i < kRepeats; ++i) recorded->repeat();
    const double ms = device.mark()->ms_since(*begin);
    if (rank == 0) us = ms * 1e3 / (kSums * kRepeats);
    return device.take_status();
  });
  if (!status.ok()) return status;
  return us;
}

Status time_sums(const Options& options) {
  fmt::print("\na sum over the GPUs, in a recorded row of 80\n{:>8}{:>8}{:>12}{:>12}{:>14}\n", "rows", "type", "nccl us", "own us", "nccl GB/s");
  GLYPH_ASSIGN_OR_RETURN(Gpus nccl, Gpus::open(static_cast<int>(options.number("gpus")), false));
  GLYPH_ASSIGN_OR_RETURN(Gpus own, Gpus::open(static_cast<int>(options.number("gpus")), true));
  for (const auto& [rows, type] : {std::pair<int64_t, DType>{1, DType::kF32}, {4, DType::kF32}, {8, DType::kF32}, {32, DType::kF32},
                                   {64, DType::kF32}, {512, DType::kBF16}, {6358, DType::kBF16}, {6358, DType::kF32}}) {
    GLYPH_ASSIGN_OR_RETURN(const double by_nccl, sum_us(nccl, type, rows));
    GLYPH_ASSIGN_OR_RETURN(const double by_own, sum_us(own, type, rows));
    fmt::print("{:>8}{:>8}{:>12.2f}{:>12.2f}{:>14.1f}\n", rows, name_of(type), by_nccl, by_own,
               static_cast<double>(rows * 4096) * static_cast<double>(size_of(type)) / by_nccl / 1e3);
    std::fflush(stdout);
  }
  return {};
}

struct Times {
  double load_ms = 0, prefill_ms = 1e30;
  std::map<int64_t, double> decode_ms;  // of a step, by sequences
  double gib = 0;                       // held on the first GPU
  Answer answer;
};

Result<double> decode_ms(const LanguageModel& language, KvCache& cache, int64_t sequences, int64_t steps) {
  std::vector<KvCache> caches;
  std::vector<KvCache*> pointers;
  for (int64_t i = 0; i < sequences; ++i) caches.push_back(cache.fork());
  for (KvCache& one : caches) pointers.push_back(&one);
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < sequences; ++i) ids.push_back(7 + i);
  for (int i = 0; i < 4; ++i) GLYPH_RETURN_IF_ERROR(language.decode(ids, pointers).status());
  const auto begin = Clock::now();
  for (int64_t i = 0; i < steps; ++i) GLYPH_RETURN_IF_ERROR(language.decode(ids, pointers).status());
  return ms_since(begin) / static_cast<double>(steps);
}

Result<Times> time_model(const Options& options, Gpus& gpus, Precision precision, std::span<const int32_t> given) {
  Times times;
  const ModelConfig config = stand_in_config();
  const auto begin = Clock::now();
  GLYPH_ASSIGN_OR_RETURN(const LanguageModel language, LanguageModel::load(*gpus.group, config, Checkpoint::random(1), {precision}));
  for (const auto& device : gpus.devices) device->mark()->wait();
  times.load_ms = ms_since(begin);
  const std::vector<int32_t> ids = text_of(options.number("tokens"), config.text.vocab_size);
  KvBlockPool pool(gpus.group->devices(), language.kv_layout());
  KvCache cache(pool);
  for (int64_t i = 0; i < options.number("repeat") + 2; ++i) {
    cache = KvCache(pool);
    const auto start = Clock::now();
    GLYPH_RETURN_IF_ERROR(language.prefill(ids, {}, cache).status());
    if (i >= 2) times.prefill_ms = std::min(times.prefill_ms, ms_since(start));
  }
  for (const int64_t sequences : {1, 8, 32}) {
    GLYPH_ASSIGN_OR_RETURN(times.decode_ms[sequences], decode_ms(language, cache, sequences, options.number("steps")));
  }
  GLYPH_ASSIGN_OR_RETURN(const DeviceMemoryUse use, cuda_memory_use(*gpus.devices[0]));
  times.gib = static_cast<double>(use.held_bytes) / (1 << 30);
  GLYPH_ASSIGN_OR_RETURN(times.answer, answer(language, *gpus.group, std::span(ids).first(300), 8, given));
  return times;
}

void print_times(const std::string& precision, const std::string& gpus, const Times& times, const Times& one) {
  fmt::print("{:>10}{:>10}{:>10.0f}{:>11.2f}{:>7.2f}x", precision, gpus, times.load_ms, times.prefill_ms, one.prefill_ms / times.prefill_ms);
  for (const auto& [sequences, ms] : times.decode_ms) fmt::print("{:>10.3f}{:>6.2f}x", ms, one.decode_ms.at(sequences) / ms);
  fmt::print("{:>8.1f}{:>12.2e}\n", times.gib, max_difference(one.answer, times.answer));
  std::fflush(stdout);
}

Result<bool> time_speed(const Options& options) {
  const auto count = static_cast<int>(options.number("gpus"));
  fmt::print("\nthe 9B's size, prefill of {} tokens, decode of 1, 8 and 32 sequences behind them; GiB on the first GPU\n", options.number("tokens"));
  fmt::print("{:>10}{:>10}{:>10}{:>11}{:>8}{:>10}{:>7}{:>10}{:>7}{:>10}{:>7}{:>8}{:>12}\n", "precision", "GPUs", "load ms", "prefill", "", "decode 1", "",
             "decode 8", "", "decode 32", "", "GiB", "max diff");
  bool numbers = true;
  for (const std::string& word : options.list("precisions")) {
    GLYPH_ASSIGN_OR_RETURN(const Precision precision, parse_precision(word));
    Times one;
    {
      GLYPH_ASSIGN_OR_RETURN(Gpus gpus, Gpus::open(1, true));
      GLYPH_ASSIGN_OR_RETURN(one, time_model(options, gpus, precision, {}));
      print_times(word, "1", one, one);
    }
    for (const bool one_shot : {true, false}) {
      if (!one_shot && word != options.list("precisions").front()) continue;
      GLYPH_ASSIGN_OR_RETURN(Gpus gpus, Gpus::open(count, one_shot));
      GLYPH_ASSIGN_OR_RETURN(const Times times, time_model(options, gpus, precision, one.answer.tokens));
      print_times(word, fmt::format("{} {}", count, one_shot ? "own" : "nccl"), times, one);
      numbers = numbers && std::isfinite(max_difference(one.answer, times.answer));
    }
  }
  return numbers;
}

Result<int> run(const Options& options) {
  bool good = true;
  if (options.has("parity")) { GLYPH_ASSIGN_OR_RETURN(good, check_parity(options)); }
  if (options.has("sums")) GLYPH_RETURN_IF_ERROR(time_sums(options));
  if (options.has("speed")) {
    GLYPH_ASSIGN_OR_RETURN(const bool numbers, time_speed(options));
    good = good && numbers;
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace glyph

int main(int argc, char** argv) {
  glyph::Options options;
  if (argc < 2) return 2;
  options.tiny = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string flag = argv[i];
    const size_t equals = flag.find('=');
    if (equals == std::string::npos || !options.flags.contains(flag.substr(0, equals))) {
      fmt::print(stderr, "unknown option {}\n", flag);
      return 2;
    }
    options.flags[flag.substr(0, equals)] = flag.substr(equals + 1);
  }
  const auto result = glyph::run(options);
  if (!result.ok()) fmt::print(stderr, "{}\n", result.status().message());
  return result.ok() ? *result : 1;
}
