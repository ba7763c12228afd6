#include "engine/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "base/hash.h"
#include "base/log.h"
#include "engine/stopwatch.h"
#include "language/kv_cache.h"
#include "plan/plan_file.h"

namespace glyph {
namespace {

constexpr int64_t kMaxPagesTogether = 16;

// Pages that are tried together: 1, 2, 4, ... and as many as fill the device.
std::vector<int64_t> counts_of(const Device& device, const PageShape& shape) {
  const int64_t filling = PageBatches(DeviceKind::kCuda).most_pages(shape);
  const int64_t most = device.host_memory() ? 2 : std::min(filling, kMaxPagesTogether);
  std::vector<int64_t> counts;
  for (int64_t count = 1; count < most; count *= 2) counts.push_back(count);
  counts.push_back(most);
  return counts;
}

std::vector<int64_t> chunks_of(const Device& device) {
  if (device.host_memory()) return {256, 512, 1024};
  return {1024, 2048, 4096, 8192};
}

Patches noise(const PageShape& shape, const PreprocessorConfig& preprocessor, uint32_t seed) {
  Patches patches{.grid = shape.grid, .channels = shape.channels, .pixels = {}};
  patches.pixels.resize(static_cast<size_t>(shape.grid.num_patches() * shape.channels * preprocessor.patch_size * preprocessor.patch_size));
  for (uint8_t& pixel : patches.pixels) pixel = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return patches;
}

class Timer {
 public:
  Timer(Device& device, const CompileOptions& options) : device_(device), options_(options) {}

  // Milliseconds on the device, after two runs that prepare.
  Result<double> time(const std::function<Status()>& work) const {
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < options_.repeats + (device_.host_memory() ? 1 : 2); ++i) {
      if (options_.stop.stop_requested()) return cancelled("compiling was stopped");
      const auto begin = device_.mark();
      GLYPH_RETURN_IF_ERROR(work());
      const double ms = device_.mark()->ms_since(*begin);
      GLYPH_RETURN_IF_ERROR(device_.take_status());
      if (i >= (device_.host_memory() ? 1 : 2)) best = std::min(best, ms);
    }
    return best;
  }
  void say(const std::string& line) const {
    if (options_.progress) options_.progress(line);
  }

 private:
  Device& device_;
  const CompileOptions& options_;
};

std::string line_of(const PlannedPass& pass) {
  return fmt::format("{} x {} patches, {} together: {:.2f} ms ({:.2f} a page), attention {}, {}", pass.shape.grid.height,
                     pass.shape.grid.width, pass.num_pages, pass.ms, pass.ms / static_cast<double>(pass.num_pages),
                     ops::name_of(pass.attention), pass.recorded ? "recorded" : "call by call");
}

ops::PageAttentionShape attention_shape(const Model& model, const PlannedPass& pass) {
  const VisionConfig& vision = model.config().vision;
  return {pass.num_pages, pass.shape.grid.num_patches(), vision.num_heads, vision.head_dim()};
}

// The fastest way for one pass; only its attention and its recording are tried.
Result<PlannedPass> compile_pass(Model& model, const Timer& timer, const PageShape& shape, int64_t num_pages) {
  std::vector<Patches> pages;
  for (int64_t i = 0; i < num_pages; ++i) pages.push_back(noise(shape, model.preprocessor(), static_cast<uint32_t>(i)));
  PlannedPass best{.shape = shape, .num_pages = num_pages, .ms = std::numeric_limits<double>::infinity()};
  const auto attempt = [&](ops::PageAttention attention, bool recorded) -> Status {
    PlannedPass pass{.shape = shape, .num_pages = num_pages, .attention = attention, .recorded = recorded};
    ops::choose_page_attention(model.device(), attention_shape(model, pass), attention);
    model.vision_to_plan().forget_compiled();
    if (recorded) model.vision_to_plan().compile(shape, num_pages);
    GLYPH_ASSIGN_OR_RETURN(pass.ms, timer.time([&] { return model.vision().encode(pages).status(); }));
    if (pass.ms < best.ms) best = pass;
    return {};
  };
  std::vector<ops::PageAttention> ways = ops::page_attention_ways(model.device(), attention_shape(model, best));
  if (ways.empty()) ways.push_back(ops::PageAttention::kMeasured);
  for (const ops::PageAttention way : ways) GLYPH_RETURN_IF_ERROR(attempt(way, false));
  if (!model.device().host_memory()) GLYPH_RETURN_IF_ERROR(attempt(best.attention, true));
  ops::choose_page_attention(model.device(), attention_shape(model, best), ops::PageAttention::kMeasured);
  model.vision_to_plan().forget_compiled();
  timer.say(line_of(best));
  return best;
}

// A prompt of text as long as a few of the largest chunks.
Result<std::vector<PlannedChunk>> compile_chunks(const Model& model, const Timer& timer) {
  const std::vector<int64_t> sizes = chunks_of(model.device());
  const int64_t num_tokens = std::min(model.language().max_tokens(), sizes.back());
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < num_tokens; ++i) ids.push_back(static_cast<int32_t>(i % std::min<int64_t>(100, model.language().vocab_size())));
  std::replace(ids.begin(), ids.end(), model.config().image_token_id, 0);
  KvBlockPool pool(model.group().devices(), model.language().kv_layout());
  std::vector<PlannedChunk> chunks;
  for (const int64_t size : sizes) {
    if (size > num_tokens && !chunks.empty()) break;
    PlannedChunk chunk{.tokens = size};
    GLYPH_ASSIGN_OR_RETURN(chunk.ms, timer.time([&]() -> Status {
      KvCache cache(pool);
      return model.language().prefill(ids, {}, cache, {.chunk_tokens = size}).status();
    }));
    timer.say(fmt::format("{} tokens read by {}: {:.2f} ms", num_tokens, size, chunk.ms));
    chunks.push_back(chunk);
  }
  return chunks;
}

std::string model_digest(const Model& model) {
  const VisionConfig& v = model.config().vision;
  const TextConfig& t = model.config().text;
  Sha256 hash;
  hash.field(fmt::format("{} {} {} {} {} {} {}", v.depth, v.hidden_size, v.num_heads, v.out_hidden_size, v.intermediate_size, v.patch_size,
                         v.spatial_merge_size));
  hash.field(fmt::format("{} {} {} {} {} {}", t.num_layers, t.hidden_size, t.num_heads, t.num_kv_heads, t.intermediate_size, t.vocab_size));
  hash.field(fmt::format("{} {} {}", name_of(model.vision().compute_type()), name_of(model.language().compute_type()),
                         name_of(model.language().kv_layout().dtype)));
  hash.field(fmt::format("{} {}", name_of(model.vision().weight_type()), name_of(model.language().weight_type())));
  return hex(hash.finish()).substr(0, 32);
}

// While it lives, every shape of a product is timed when it first comes.
class AtOnce {
 public:
  AtOnce(Device& device, bool gpu) : device_(gpu ? &device : nullptr) {
    if (device_ != nullptr) ops::cuda::time_matrices_at_once(*device_, true);
  }
  ~AtOnce() {
    if (device_ != nullptr) ops::cuda::time_matrices_at_once(*device_, false);
  }
  AtOnce(const AtOnce&) = delete;
  AtOnce& operator=(const AtOnce&) = delete;

 private:
  Device* device_;
};

// A plan that is there and fits, or why it does not.
struct Found {
  std::optional<Plan> plan;
  Status status;  // of reading it
  std::string difference;
};

Found find_plan(const std::filesystem::path& file, const PlanIdentity& here) {
  Found found;
  Result<Plan> plan = load_plan(file);
  found.status = plan.status();
  if (!plan.ok()) return found;
  found.difference = difference(plan->identity, here);
  if (found.difference.empty()) found.plan = *std::move(plan);
  return found;
}

Status remake(Model& model, const std::filesystem::path& file, const std::string& why) {
  log_warning("{}; the plan is made again, which takes up to a minute", why);
  GLYPH_ASSIGN_OR_RETURN(const Plan plan, compile_plan(model));
  model.use(plan);
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  const Status saved = save_plan(plan, file);
  if (!saved.ok()) log_warning("the plan could not be kept: {}", saved.message());
  return {};
}

}  // namespace

PlanIdentity plan_identity(const Model& model) {
  std::string libraries = model.device().versions();
  const std::string attention = ops::page_attention_library(model.device());
  if (!attention.empty()) libraries += ", " + attention;
  libraries.resize(std::min(libraries.size(), PlanIdentity::kMaxBytes));
  std::string device = model.device().description();
  device.resize(std::min(device.size(), PlanIdentity::kMaxBytes));
  return {GLYPH_VERSION, model_digest(model), device, libraries};
}

Result<Plan> compile_plan(Model& model, const CompileOptions& options) {
  if (model.group().size() > 1) return refused("a plan is for one GPU; compile without --tensor-parallel");
  const Timer timer(model.device(), options);
  const bool gpu = model.device().kind() == DeviceKind::kCuda;
  const AtOnce at_once(model.device(), gpu);
  Plan plan{.identity = plan_identity(model), .passes = {}, .chunks = {}, .products = {}};
  for (const ImageSize& size : options.pages) {
    GLYPH_ASSIGN_OR_RETURN(const ImageSize resized, resized_size(size, model.preprocessor()));
    const int64_t side = model.preprocessor().patch_size;
    const PageShape shape{{resized.height / side, resized.width / side}, 1};
    if (std::any_of(plan.passes.begin(), plan.passes.end(), [&](const PlannedPass& pass) { return pass.shape == shape; })) continue;
    for (const int64_t count : counts_of(model.device(), shape)) {
      GLYPH_ASSIGN_OR_RETURN(PlannedPass pass, compile_pass(model, timer, shape, count));
      plan.passes.push_back(pass);
    }
  }
  GLYPH_ASSIGN_OR_RETURN(plan.chunks, compile_chunks(model, timer));
  if (gpu) plan.products = ops::cuda::matrix_choices(model.device());
  return plan;
}

std::filesystem::path plan_cache_file(const PlanIdentity& identity) {
  std::filesystem::path base;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') base = cache;
  else if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') base = std::filesystem::path(home) / ".cache";
  if (base.empty()) return {};
  Sha256 hash;
  for (const std::string* text : {&identity.program, &identity.model, &identity.device, &identity.libraries}) hash.field(*text);
  return base / "glyph" / "plans" / (hex(hash.finish()).substr(0, 32) + ".plan");
}

Status use_plan(Model& model, const std::filesystem::path& file, const std::filesystem::path& model_dir) {
  if (model.group().size() > 1) {
    return file.empty() ? Status() : refused(fmt::format("{}: a plan is for one GPU; leave out --plan or --tensor-parallel", file.string()));
  }
  const Stopwatch watch;
  const PlanIdentity here = plan_identity(model);
  std::vector<std::filesystem::path> candidates{file};
  if (file.empty()) {
    candidates.clear();
    if (!model_dir.empty()) candidates.push_back(model_dir / "glyph.plan");
    candidates.push_back(plan_cache_file(here));
  }
  std::string why_not;  // of a plan that is there
  for (const std::filesystem::path& candidate : candidates) {
    Found found = find_plan(candidate, here);
    if (found.plan) {
      model.use(*found.plan);
      log_debug("{}: {} passes over pages, loaded in {:.1f} ms", candidate.string(), found.plan->passes.size(), watch.ms());
      return {};
    }
    const bool missing = found.status.code() == StatusCode::kNotFound;
    if (missing && !file.empty()) return found.status;
    if (!missing) why_not = found.status.ok() ? fmt::format("{}: {}", candidate.string(), found.difference) : found.status.message();
  }
  if (why_not.empty() || candidates.back().empty()) return {};
  return remake(model, candidates.back(), why_not);
}

}  // namespace glyph
