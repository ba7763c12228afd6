// bench ladder: from plain fp32 to everything on, how a question's time falls; and how cost grows with a document.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>

#include "ask_options.h"
#include "base/log.h"
#include "base/text_file.h"
#include "benchmarks.h"
#include "engine/compile.h"
#include "engine/stopwatch.h"
#include "inputs.h"
#include "json_text.h"
#include "ladder/report.h"
#include "memory_check.h"
#include "plan/plan_file.h"

namespace glyph {
namespace {

constexpr double kBytesATextToken = 4;         // of English, in the 9B's own tokenizer; random weights have one of bytes
constexpr int64_t kMaxTextTokens = 131072;     // read as plain text; more would take minutes
constexpr int64_t kMaxGrowth = 1000;           // pages
constexpr int64_t kStreamDocuments = 8;
constexpr int64_t kRepeatedPages = 50;         // longer ones take seconds
constexpr int64_t kA4Patches = 2520;           // at 72 dpi
constexpr const char* kNoTime = "not measured: --seconds are over";

// "1,10,50" in rising order.
Result<std::vector<int64_t>> page_counts(std::string_view list) {
  std::vector<int64_t> counts;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    int64_t count = 0;
    const auto [end, error] = std::from_chars(list.data(), list.data() + comma, count);
    if (error != std::errc() || end != list.data() + comma || count < 1 || count > kMaxGrowth || (!counts.empty() && count <= counts.back())) {
      return usage_error(fmt::format("--grow: '{:.100}' is no rising list of pages from 1 to {}", list, kMaxGrowth));
    }
    counts.push_back(count);
    list = list.substr(std::min(comma + 1, list.size()));
  }
  return counts;
}

// "2048x8192"
Result<Workload> picture_of(const std::string& size) {
  int width = 0, height = 0;
  const char* end = size.data() + size.size();
  const auto [middle, error] = std::from_chars(size.data(), end, width);
  const auto [last, error2] = error == std::errc() && middle != end && *middle == 'x' ? std::from_chars(middle + 1, end, height) : std::from_chars_result{middle, std::errc::invalid_argument};
  if (error2 != std::errc() || last != end || width < 28 || height < 28 || width > 8192 || height > 8192) {
    return usage_error(fmt::format("--picture: '{:.100}' is no WIDTHxHEIGHT from 28x28 to 8192x8192 pixels", size));
  }
  return picture_workload(width, height);
}

int64_t picture_patches(const Workload& workload, int64_t patch_size) {
  const Image& image = workload.document->blocks.front().image;
  return (image.width / patch_size + 1) * (image.height / patch_size + 1);
}

std::string line_of(const Measured& m) {
  return fmt::format("{:.1f} ms: first token {:.1f}, vision {:.1f}, prefill {:.1f}, a token {:.2f}; {} MiB", m.total_ms, m.first_token_ms,
                     m.stages.vision_ms, m.stages.prefill_ms, m.token_ms, m.peak_bytes >> 20);
}

// A name in the temporary folder; what is there goes with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name) : path_(std::filesystem::temp_directory_path() / fmt::format("glyph-{}-{}", ::getpid(), name)) {}
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

// Runs the ladder: opens the model again where a row needs another precision of it or of KV.
class Ladder {
 public:
  Ladder(const Settings& settings, const BenchArguments& arguments, std::stop_token stop)
      : settings_(settings), arguments_(arguments), stop_(std::move(stop)) {}

  Status run() {
    GLYPH_RETURN_IF_ERROR(prepare());
    const Status status = measure_all();
    // Who stops it wants what is there by then.
    return status.code() == StatusCode::kCancelled && !report_.entries.empty() ? Status() : status;
  }
  const LadderReport& report() const { return report_; }

 private:
  Status prepare() {
    GLYPH_ASSIGN_OR_RETURN(model_options_, model_options(settings_));
    GLYPH_ASSIGN_OR_RETURN(growth_, page_counts(arguments_.grow));
    GLYPH_ASSIGN_OR_RETURN(const StyleChoice style, style_choice(settings_));
    style_ = style.style.value_or(PageStyle::english());
    if (style.dpi) style_.dpi = *style.dpi;
    options_.repeats = arguments_.repeats;
    if (arguments_.max_tokens > 0) options_.answer_tokens = arguments_.max_tokens;
    GLYPH_ASSIGN_OR_RETURN(Workload pages, text_workload(arguments_.pages, style_));
    workloads_.push_back(std::move(pages));
    if (!arguments_.picture.empty()) {
      GLYPH_ASSIGN_OR_RETURN(Workload picture, picture_of(arguments_.picture));
      workloads_.push_back(std::move(picture));
    }
    return look_at_device();
  }

  Status measure_all() {
    for (const LadderRow& row : rows_) GLYPH_RETURN_IF_ERROR(climb(row));
    std::stable_sort(report_.entries.begin(), report_.entries.end(),
                     [&](const LadderEntry& a, const LadderEntry& b) { return order_of(a.workload) < order_of(b.workload); });
    report_.gpus = gpu_health();
    GLYPH_RETURN_IF_ERROR(run_streams());
    return grow();
  }

  // After each measurement, because a machine may be gone before the last one.
  void keep() const {
    if (arguments_.json_file.empty()) return;
    const Status kept = write_file_atomically(arguments_.json_file, json_text(ladder_json(report_)) + "\n");
    if (!kept.ok()) log_warning("{}", kept.message());
  }

  Status look_at_device() {
    GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device,
                           open_device({.choice = model_options_.device, .num_threads = model_options_.num_threads}));
    GLYPH_ASSIGN_OR_RETURN(rows_, choose_rows(ladder_rows(*device), arguments_.rows));
    for (LadderRow& row : rows_) row.compiled = row.compiled && !arguments_.uncompiled;
    const DType type = compute_type(*device, Precision::kAuto);
    report_.device = device->description();
    report_.limits_type = name_of(type);
    report_.limits = measure_limits(*device, type);
    return device->take_status();
  }

  // Its model, if it is not that of the row before.
  Status open(const std::string& precision, const std::string& kv_precision, bool compiled) {
    if (engine_ != nullptr && precision == precision_ && kv_precision == kv_precision_ && compiled == compiled_) return {};
    engine_.reset();
    reset_peak_memory();
    GLYPH_ASSIGN_OR_RETURN(model_options_.precision, parse_precision(precision));
    GLYPH_ASSIGN_OR_RETURN(model_options_.kv_precision, parse_kv_precision(kv_precision));
    GLYPH_RETURN_IF_ERROR(plan_room());
    model_options_.use_plan = compiled;
    model_options_.plan.clear();
    if (compiled) {
      GLYPH_ASSIGN_OR_RETURN(model_options_.plan, plan_for(plan_key(precision, kv_precision)));
      const Stopwatch reading;
      GLYPH_RETURN_IF_ERROR(load_plan(model_options_.plan).status());
      report_.plan_load_ms = reading.ms();
    }
    const Stopwatch watch;
    GLYPH_ASSIGN_OR_RETURN(engine_, Engine::open(model_options_));
    host_copy(engine_->model().device(), Tensor(engine_->model().device(), DType::kF32, {1}).view());  // until all of it is there
    report_.load_ms = watch.ms();
    report_.model = engine_->model().name();
    precision_ = precision;
    kv_precision_ = kv_precision;
    compiled_ = compiled;
    log_info("{} in {}: loaded in {:.0f} ms", report_.model, precision, report_.load_ms);
    return {};
  }

  // What one would run: the named precision, or the device's; with a plan, if a row made one.
  Status open_usual() {
    const std::string precision = settings_.text("precision").value_or(report_.limits_type == "bf16" ? "bf16" : "fp32");
    const std::string kv_precision = settings_.text("kv-precision").value_or("auto");
    return open(precision, kv_precision, plans_.contains(plan_key(precision, kv_precision)));
  }

  static std::string plan_key(const std::string& precision, const std::string& kv_precision) {
    return kv_precision == "auto" ? precision : precision + "-kv-" + kv_precision;
  }

  Result<std::filesystem::path> plan_for(const std::string& key) {
    std::unique_ptr<TemporaryFile>& plan = plans_[key];
    if (plan != nullptr) return plan->path();
    plan = std::make_unique<TemporaryFile>(key + ".plan");
    GLYPH_RETURN_IF_ERROR(compile(plan->path()));
    return plan->path();
  }

  // Times the choices for pages of this style.
  Status compile(const std::filesystem::path& file) {
    const auto pixels = [&](double points) { return static_cast<int64_t>(std::ceil(points * style_.dpi / 72)); };
    GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, Model::load(model_options_));
    const Stopwatch watch;
    GLYPH_ASSIGN_OR_RETURN(const Plan plan,
                           compile_plan(*model, {.pages = {{pixels(style_.page_width), pixels(style_.page_height)}}, .stop = stop_}));
    report_.compile_ms = watch.ms();
    log_info("compiled in {:.0f} ms", report_.compile_ms);
    return save_plan(plan, file);
  }

  int64_t num_documents() const { return arguments_.documents > 0 ? arguments_.documents : kStreamDocuments; }

  // For the most that any row will hold at once.
  Status plan_room() {
    GLYPH_ASSIGN_OR_RETURN(Placement placement, place(model_options_, {}));
    const VisionConfig& vision = placement.config.vision;
    const int64_t cells = vision.spatial_merge_size * vision.spatial_merge_size, a4 = kA4Patches;
    const int64_t picture = workloads_.back().text_bytes == 0 ? picture_patches(workloads_.back(), vision.patch_size) : 0;
    const int64_t pages = std::max(arguments_.pages * (arguments_.streams > 0 ? num_documents() : 1), growth_.empty() ? 0 : growth_.back());
    const int64_t tokens = std::max({pages * a4 / cells, picture / cells, growth_.empty() ? 0 : kMaxTextTokens}) + arguments_.streams * options_.answer_tokens;
    placement.needs.page_patches = std::max(a4, picture);
    placement.needs.kv_budget = static_cast<uint64_t>(tokens) * placement.plan().kv_token_bytes;
    const int64_t seen = std::max(pages * a4, picture) / cells;
    placement.needs.feature_budget = static_cast<uint64_t>(static_cast<double>(seen * placement.config.text.hidden_size) * placement.needs.activation_bytes);
    planned_bytes_ = placement.plan().total_bytes();
    log_info("{} in {}: {}", placement.memory.device, name_of(model_options_.precision), placement.plan().text());
    return check_fits(placement);
  }

  // A row that fails is told, the others go on; a stop ends everything.
  Status climb(const LadderRow& row) {
    const Status opened = open(row.precision, row.kv_precision, row.compiled);
    for (const Workload& workload : workloads_) {
      if (workload.text_bytes == 0 && !row.picture && rows_.size() > 1) continue;
      LadderEntry entry{.row = row, .workload = workload.name, .measured = {}, .problem = out_of_time() ? kNoTime : opened.message()};
      if (entry.problem.empty()) {
        Result<Measured> measured = measure(*engine_, row, workload, options_, stop_);
        if (measured.ok()) entry.measured = *measured;
        else entry.problem = measured.status().message();
        entry.measured.planned_bytes = planned_bytes_;
        log_info("{}, {}: {}", row.key, workload.name, measured.ok() ? line_of(*measured) : entry.problem);
        if (!measured.ok()) engine_.reset();  // whatever is left of it is nothing to measure with
      }
      if (stop_.stop_requested()) return cancelled("the ladder was stopped");
      report_.entries.push_back(std::move(entry));
      keep();
      if (engine_ == nullptr) break;
    }
    return {};
  }

  Status grow() {
    if (growth_.empty()) return {};
    GLYPH_RETURN_IF_ERROR(open_usual());
    report_.growth_precision = kv_precision_ == "auto" ? precision_ : fmt::format("{}, {} KV", precision_, kv_precision_);
    for (const int64_t pages : growth_) {
      report_.growth.push_back({.pages = pages, .as_pages = {}, .text_tokens = 0, .as_text = {}, .problem = {}});
      const Status status = out_of_time() ? exhausted(kNoTime) : grow_to(pages, report_.growth.back());
      if (stop_.stop_requested()) return cancelled("the ladder was stopped");
      if (!status.ok()) report_.growth.back().problem = status.message();
      keep();
    }
    return {};
  }

  // The long ones once: what is shorter has warmed the device.
  Status grow_to(int64_t pages, GrowthEntry& entry) {
    LadderOptions once = options_;
    once.repeats = pages == growth_.front() || pages <= kRepeatedPages ? 1 : 0;
    once.answer_tokens = std::min<int64_t>(options_.answer_tokens, 32);
    GLYPH_ASSIGN_OR_RETURN(const Workload workload, text_workload(pages, style_));
    GLYPH_ASSIGN_OR_RETURN(entry.as_pages, measure(*engine_, LadderRow{.key = {}, .label = {}, .precision = precision_}, workload, once, stop_));
    log_info("{} pages: first token after {:.1f} ms", pages, entry.as_pages.first_token_ms);
    entry.text_tokens = num_text_tokens(workload);
    if (entry.text_tokens > kMaxTextTokens) return {};
    GLYPH_ASSIGN_OR_RETURN(entry.as_text, measure_text(engine_->model(), entry.text_tokens, once, stop_));
    log_info("{} text tokens: first token after {:.1f} ms", entry.text_tokens, entry.as_text.first_token_ms);
    return {};
  }

  int64_t num_text_tokens(const Workload& workload) const {
    if (model_options_.random_seed && model_options_.dir.empty()) {
      return static_cast<int64_t>(static_cast<double>(workload.text_bytes) / kBytesATextToken);
    }
    return static_cast<int64_t>(engine_->model().tokenizer().encode_plain(workload.document->text()).size());
  }

  Status run_streams() {
    if (arguments_.streams == 0) return {};
    GLYPH_RETURN_IF_ERROR(open_usual());
    report_.streams = {.num_streams = arguments_.streams, .num_documents = std::min(arguments_.streams, num_documents()), .pages_each = arguments_.pages};
    const Result<StreamsMeasured> measured = out_of_time() ? Result<StreamsMeasured>(exhausted(kNoTime))
                                                           : measure_streams(engine_->model(), report_.streams, style_, options_, stop_);
    if (measured.ok()) report_.streamed = *measured;
    else report_.stream_problem = measured.status().message();
    keep();
    return stop_.stop_requested() ? cancelled("the ladder was stopped") : Status();
  }

  size_t order_of(const std::string& workload) const { return workloads_.front().name == workload ? 0 : 1; }
  bool out_of_time() const { return arguments_.seconds > 0 && watch_.seconds() > static_cast<double>(arguments_.seconds); }

  const Settings& settings_;
  const BenchArguments& arguments_;
  const std::stop_token stop_;
  ModelOptions model_options_;
  LadderOptions options_;
  PageStyle style_;
  std::vector<int64_t> growth_;
  std::vector<Workload> workloads_;
  std::vector<LadderRow> rows_;
  std::string precision_, kv_precision_;  // of engine_
  bool compiled_ = false;  // likewise
  uint64_t planned_bytes_ = 0;
  std::map<std::string, std::unique_ptr<TemporaryFile>> plans_;  // by plan_key()
  const Stopwatch watch_;
  std::unique_ptr<Engine> engine_;
  LadderReport report_;
};

}  // namespace

Result<BenchReport> report_ladder(const Settings& settings, const BenchArguments& arguments, std::stop_token stop) {
  Ladder ladder(settings, arguments, std::move(stop));
  const Status status = ladder.run();
  if (!status.ok()) return status;
  if (!arguments.svg.empty()) GLYPH_RETURN_IF_ERROR(write_file_atomically(arguments.svg, ladder_svg(ladder.report())));
  return BenchReport{.data = ladder_json(ladder.report()), .table = ladder_table(ladder.report())};
}

}  // namespace glyph
