#include "plan/plan_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <tuple>

#include "base/hash.h"
#include "base/text_file.h"

namespace glyph {
namespace {

constexpr std::string_view kFirstLine = "glyph plan 1";
constexpr std::string_view kSumName = "sha256 ";
constexpr size_t kMaxLineBytes = 512;
constexpr int64_t kMaxSide = 65536;                    // patches
constexpr int64_t kMaxPatches = int64_t{1} << 22;      // of a page
constexpr int64_t kMaxPagesTogether = 256;
constexpr int64_t kMaxChunk = int64_t{1} << 20;
constexpr double kMaxMs = 1e9;

constexpr int64_t kMaxProductSide = int64_t{1} << 31;
constexpr uint64_t kMaxWorkspaceBytes = uint64_t{1} << 32;

std::string flags_of(const ops::cuda::MatrixClass& shape) {
  std::string flags;
  if (shape.bias) flags += 'b';
  if (shape.accumulate) flags += 'a';
  if (shape.scaled) flags += 's';
  return flags.empty() ? "-" : flags;
}

// Words of a line, one after another; anything unexpected makes all later ones fail, too.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  std::string_view word() {
    const size_t end = rest_.find(' ');
    const std::string_view found = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    ok_ = ok_ && !found.empty() && (end == std::string_view::npos || !rest_.empty());
    return found;
  }
  template <typename T>
  T number(T low, T high) {
    const std::string_view text = word();
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    ok_ = ok_ && error == std::errc() && end == text.data() + text.size() && value >= low && value <= high;
    return value;
  }
  void require(bool condition) { ok_ = ok_ && condition; }
  uint64_t hex_number() {
    const std::string_view text = word();
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    ok_ = ok_ && error == std::errc() && end == text.data() + text.size();
    return value;
  }
  DType type() {
    const std::string_view name = word();
    for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kE4M3, DType::kI8, DType::kI4}) {
      if (name_of(type) == name) return type;
    }
    ok_ = false;
    return DType::kF32;
  }
  bool complete() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  return true;
}

std::optional<PlannedPass> parse_pass(Words words) {
  PlannedPass pass;
  pass.shape.grid.height = words.number<int64_t>(1, kMaxSide);
  pass.shape.grid.width = words.number<int64_t>(1, kMaxSide);
  pass.shape.channels = static_cast<int>(words.number<int64_t>(1, 3));
  pass.num_pages = words.number<int64_t>(1, kMaxPagesTogether);
  const auto attention = ops::parse_page_attention(words.word());
  const std::string_view how = words.word();
  pass.ms = words.number<double>(0, kMaxMs);
  words.require(attention.has_value() && (how == "recorded" || how == "direct") && pass.shape.channels != 2 && words.complete());
  if (!words.complete() || pass.shape.grid.num_patches() > kMaxPatches) return std::nullopt;
  pass.attention = *attention;
  pass.recorded = how == "recorded";
  return pass;
}

std::optional<PlannedChunk> parse_chunk(Words words) {
  const PlannedChunk chunk{words.number<int64_t>(1, kMaxChunk), words.number<double>(0, kMaxMs)};
  return words.complete() ? std::optional(chunk) : std::nullopt;
}

// Whether the algorithm means anything is for the library to say, which is asked before it is used.
std::optional<ops::cuda::MatrixChoice> parse_product(Words words) {
  ops::cuda::MatrixChoice product;
  product.shape.outputs = words.number<int64_t>(1, kMaxProductSide);
  product.shape.depth = words.number<int64_t>(1, kMaxProductSide);
  product.shape.rows = words.number<int64_t>(1, kMaxProductSide);
  product.shape.type = words.type();
  product.shape.out_type = words.type();
  const std::string_view flags = words.word();
  product.shape.bias = flags.find('b') != std::string_view::npos;
  product.shape.accumulate = flags.find('a') != std::string_view::npos;
  product.shape.scaled = flags.find('s') != std::string_view::npos;
  words.require(flags == flags_of(product.shape));
  product.workspace_bytes = words.number<uint64_t>(0, kMaxWorkspaceBytes);
  product.seconds = words.number<double>(0, kMaxMs);
  product.first_seconds = words.number<double>(0, kMaxMs);
  for (uint64_t& part : product.algorithm) part = words.hex_number();
  return words.complete() ? std::optional(product) : std::nullopt;
}

// Reads line after line into a plan.
class PlanReader {
 public:
  // Empty, or what is wrong with the line.
  std::string take(std::string_view line) {
    if (line.size() > kMaxLineBytes) return fmt::format("has {} bytes; the limit is {}", line.size(), kMaxLineBytes);
    const size_t space = line.find(' ');
    const std::string_view name = line.substr(0, space);
    const std::string_view rest = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    for (size_t i = 0; i < std::size(kTexts); ++i) {
      if (kTexts[i].name != name) continue;
      if (seen_[i]) return "says something twice";
      seen_[i] = true;
      plan_.identity.*kTexts[i].field = rest;
      return rest.size() <= PlanIdentity::kMaxBytes && is_plain(rest) ? "" : "is too long or has control characters";
    }
    if (name == "chunk") return take_chunk(parse_chunk(Words(rest)));
    if (name == "pages") return take_pass(parse_pass(Words(rest)));
    if (name == "product") return take_product(parse_product(Words(rest)));
    return "is none that a plan has";
  }
  bool complete() const {
    for (const bool seen : seen_) {
      if (!seen) return false;
    }
    return true;
  }
  Plan take_plan() { return std::move(plan_); }

 private:
  struct Text {
    std::string_view name;
    std::string PlanIdentity::*field;
  };
  static constexpr Text kTexts[] = {{"program", &PlanIdentity::program},
                                    {"model", &PlanIdentity::model},
                                    {"device", &PlanIdentity::device},
                                    {"libraries", &PlanIdentity::libraries}};

  std::string take_chunk(const std::optional<PlannedChunk>& chunk) {
    if (!chunk) return "is not a chunk";
    if (!chunks_.insert(chunk->tokens).second) return "says something twice";
    plan_.chunks.push_back(*chunk);
    return "";
  }
  std::string take_product(const std::optional<ops::cuda::MatrixChoice>& product) {
    if (!product) return "is not a product of matrices";
    if (!products_.insert(product->shape).second) return "says something twice";
    plan_.products.push_back(*product);
    return "";
  }
  std::string take_pass(const std::optional<PlannedPass>& pass) {
    if (!pass) return "is not a pass over pages";
    const auto& [shape, num_pages, attention, recorded, ms] = *pass;
    if (!passes_.insert({shape.grid.height, shape.grid.width, shape.channels, num_pages}).second) return "says something twice";
    plan_.passes.push_back(*pass);
    return "";
  }

  Plan plan_;
  bool seen_[std::size(kTexts)] = {};
  std::set<int64_t> chunks_;
  std::set<ops::cuda::MatrixClass> products_;
  std::set<std::tuple<int64_t, int64_t, int, int64_t>> passes_;
};

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  text.resize(std::min(text.size(), PlanIdentity::kMaxBytes));
  return text;
}

}  // namespace

std::string plan_text(const Plan& plan) {
  std::string text = fmt::format("{}\nprogram {}\nmodel {}\ndevice {}\nlibraries {}\n", kFirstLine, one_line(plan.identity.program),
                                 one_line(plan.identity.model), one_line(plan.identity.device), one_line(plan.identity.libraries));
  for (const PlannedChunk& chunk : plan.chunks) text += fmt::format("chunk {} {:.4f}\n", chunk.tokens, chunk.ms);
  for (const PlannedPass& pass : plan.passes) {
    text += fmt::format("pages {} {} {} {} {} {} {:.4f}\n", pass.shape.grid.height, pass.shape.grid.width, pass.shape.channels,
                        pass.num_pages, ops::name_of(pass.attention), pass.recorded ? "recorded" : "direct", pass.ms);
  }
  for (const ops::cuda::MatrixChoice& product : plan.products) {
    const ops::cuda::MatrixClass& shape = product.shape;
    text += fmt::format("product {} {} {} {} {} {} {} {:.9f} {:.9f} {:x}\n", shape.outputs, shape.depth, shape.rows, name_of(shape.type),
                        name_of(shape.out_type), flags_of(shape), product.workspace_bytes, product.seconds, product.first_seconds,
                        fmt::join(product.algorithm, " "));
  }
  return text + std::string(kSumName) + hex(sha256(text)) + "\n";
}

Result<Plan> parse_plan(std::string_view text, const std::string& where) {
  if (text.size() > kMaxPlanBytes) {
    return refused(fmt::format("{}: a plan of {} bytes; the limit is {}", where, text.size(), kMaxPlanBytes));
  }
  if (!text.starts_with(kFirstLine) || text.substr(kFirstLine.size()).substr(0, 1) != "\n") {
    return refused(fmt::format("{}: does not begin with \"{}\"", where, kFirstLine));
  }
  const size_t sum = text.rfind(kSumName);
  if (sum == std::string_view::npos || sum == 0 || text[sum - 1] != '\n' ||
      text.substr(sum + kSumName.size()) != hex(sha256(std::string_view(text.substr(0, sum)))) + "\n") {
    return refused(fmt::format("{}: the plan is damaged: its checksum is wrong", where));
  }
  PlanReader reader;
  std::string_view rest = text.substr(kFirstLine.size() + 1, sum - kFirstLine.size() - 1);
  for (size_t number = 2; !rest.empty(); ++number) {
    if (number > kMaxPlanLines) return refused(fmt::format("{}: a plan of more than {} lines", where, kMaxPlanLines));
    const size_t end = rest.find('\n');
    const std::string wrong = reader.take(rest.substr(0, end));
    if (!wrong.empty()) return refused(fmt::format("{}: line {} {}", where, number, wrong));
    rest = rest.substr(end + 1);
  }
  if (!reader.complete()) return refused(fmt::format("{}: the plan does not say what it was made for", where));
  return reader.take_plan();
}

Result<Plan> load_plan(const std::filesystem::path& file) {
  GLYPH_ASSIGN_OR_RETURN(const std::string text, read_file(file, kMaxPlanBytes));
  return parse_plan(text, file.string());
}

Status save_plan(const Plan& plan, const std::filesystem::path& file) { return write_file_atomically(file, plan_text(plan)); }

}  // namespace glyph
